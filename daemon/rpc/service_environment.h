// What the services share.

#ifndef TALLY_DAEMON_RPC_SERVICE_ENVIRONMENT_H_
#define TALLY_DAEMON_RPC_SERVICE_ENVIRONMENT_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "daemon/rpc/catalog.h"
#include "daemon/rpc/health.h"
#include "daemon/rpc/live_limits.h"
#include "daemon/rpc/work_pool.h"
#include "daemon/storage/clock.h"
#include "tally/v1/training.pb.h"

namespace tally::rpc {

// Calls that may last: what a shutdown waits for. Counted while the object lives.
class OpenCall {
 public:
  explicit OpenCall(std::atomic<uint64_t>* count) : count_(count) { count_->fetch_add(1); }
  ~OpenCall() { count_->fetch_sub(1); }
  OpenCall(const OpenCall&) = delete;
  OpenCall& operator=(const OpenCall&) = delete;

 private:
  std::atomic<uint64_t>* const count_;
};

struct ServiceEnvironment {
  Catalog* catalog = nullptr;
  Health* health = nullptr;
  LiveLimits* limits = nullptr;
  storage::Clock* clock = nullptr;
  WorkPool* pool = nullptr;     // for calls that wait for the disk or the trainer
  WorkPool* waiters = nullptr;  // for Evaluates that wait for samples to come
  WorkPool* lane = nullptr;     // one thread, for acknowledgements
  std::atomic<uint64_t>* open_calls = nullptr;
  v1::Durability default_durability = v1::DURABILITY_DURABLE;
  std::string version;
};

// The call's deadline on the hosts' clock; without one, an hour from now.
int64_t DeadlineNs(const grpc::CallbackServerContext& context, storage::Clock& clock);

// Runs `work` on the pool and finishes the call with its status. A full pool is RESOURCE_EXHAUSTED;
// a call that was cancelled or ran out of time while it waited is not started.
grpc::ServerUnaryReactor* RunOnPool(const ServiceEnvironment& environment,
                                    grpc::CallbackServerContext* context,
                                    std::function<absl::Status()> work);

// Finishes the call at once.
grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context, const absl::Status& status);

absl::Status PoolFullError();
// CANCELLED or DEADLINE_EXCEEDED if nobody waits for the answer any more.
absl::Status CheckStillWanted(const grpc::CallbackServerContext& context);

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_SERVICE_ENVIRONMENT_H_
