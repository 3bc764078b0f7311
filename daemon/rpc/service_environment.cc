#include "daemon/rpc/service_environment.h"

#include <chrono>
#include <memory>
#include <utility>

#include "daemon/rpc/status_details.h"

namespace tally::rpc {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;

}  // namespace

int64_t DeadlineNs(const grpc::CallbackServerContext& context, storage::Clock& clock) {
  const auto deadline = context.deadline();
  const auto now = std::chrono::system_clock::now();
  const int64_t start_ns = clock.MonotonicNs();
  if (deadline <= now) return start_ns;
  if (deadline - now > std::chrono::hours(1)) return start_ns + kHourNs;
  return start_ns + std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - now).count();
}

absl::Status PoolFullError() {
  return WithReason(absl::ResourceExhaustedError(
                        "too many calls are waiting for the disk or the trainer; try again"),
                    "TOO_MANY_CALLS");
}

absl::Status CheckStillWanted(const grpc::CallbackServerContext& context) {
  if (context.deadline() <= std::chrono::system_clock::now()) {
    return absl::DeadlineExceededError("the deadline passed before the call was started");
  }
  if (context.IsCancelled()) return absl::CancelledError("the client has gone");
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

grpc::ServerUnaryReactor* RunOnPool(const ServiceEnvironment& environment,
                                    grpc::CallbackServerContext* context,
                                    std::function<absl::Status()> work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto open = std::make_shared<OpenCall>(environment.open_calls);
  const bool taken = environment.pool->TryRun([context, reactor, open, work = std::move(work)] {
    absl::Status status = CheckStillWanted(*context);
    if (status.ok()) status = work();
    reactor->Finish(ToGrpcStatus(status));
  });
  if (!taken) reactor->Finish(ToGrpcStatus(PoolFullError()));
  return reactor;
}

}  // namespace tally::rpc
