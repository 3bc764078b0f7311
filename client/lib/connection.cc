#include "client/lib/connection.h"

#include <grpc/grpc.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/lib/backoff.h"
#include "client/lib/status.h"

namespace tally::internal {
namespace {

// The largest answers are lists of models with label names; the server's own limit for what we send
// is smaller.
constexpr int kReceiveBytesMax = 16 << 20;

// A quiet Wi-Fi link is checked once a minute; servers permit a ping each 30 s.
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;

// gRPC's own reconnection: quick, because a daemon on the same board is back within a second.
constexpr int kReconnectFirstMs = 100;
constexpr int kReconnectMaxMs = 2'000;
constexpr int kConnectTimeoutMs = 10'000;

bool IsPort(std::string_view text) {
  uint32_t port = 0;
  return absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &port) && port >= 1 &&
         port <= 65535;
}

absl::Status CheckAddress(std::string_view address) {
  if (address.starts_with("unix:") && address.size() > 5) return absl::OkStatus();
  const size_t colon = address.rfind(':');
  if (colon != std::string_view::npos && colon > 0 && IsPort(address.substr(colon + 1)) &&
      address.find('/') == std::string_view::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("server address \"", absl::string_view(address.data(), address.size()),
                   "\": expected unix:PATH or host:port, as in unix:/run/tally/tallyd.sock"));
}

// When its last user goes, gRPC shuts itself down and may wait up to ten seconds for a poller of
// its own (seen after large transfers). A program that ends should not: one reference is kept until
// the process is gone.
void KeepGrpcAlive() {
  [[maybe_unused]] static const bool kept = [] {
    grpc_init();
    return true;
  }();
}

grpc::ChannelArguments ChannelArgumentsOfTally() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kReceiveBytesMax);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectFirstMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  // gRPC would repeat calls on its own; when and what to repeat is decided in one place, here.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return arguments;
}

}  // namespace

Connection::Connection(std::shared_ptr<grpc::Channel> channel, const ClientOptions& options)
    : options_(options),
      channel_(channel),
      models_(v1::Models::NewStub(channel)),
      training_(v1::Training::NewStub(channel)),
      inference_(inference::GRPCInferenceService::NewStub(channel)) {}

absl::StatusOr<std::shared_ptr<Connection>> Connection::Make(std::string_view address,
                                                             const ClientOptions& options) {
  KeepGrpcAlive();
  if (absl::Status status = CheckAddress(address); !status.ok()) return status;
  auto channel = grpc::CreateCustomChannel(std::string(address), grpc::InsecureChannelCredentials(),
                                           ChannelArgumentsOfTally());
  return std::shared_ptr<Connection>(new Connection(std::move(channel), options));
}

absl::Status Connection::CallOnce(std::chrono::milliseconds timeout, const Attempt& attempt) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  return FromGrpc(attempt(context));
}

absl::Status Connection::Call(std::chrono::milliseconds timeout, Repeatable repeatable,
                              const Attempt& attempt) const {
  const auto give_up = std::chrono::steady_clock::now() + options_.patience;
  Backoff backoff(options_.backoff_first, options_.backoff_max, RandomSeed());
  while (true) {
    absl::Status status = CallOnce(timeout, attempt);
    const Refusal refusal = Classify(status);
    if (refusal == Refusal::kFinal) return status;
    if (refusal == Refusal::kLost && repeatable == Repeatable::kNo) return status;
    const auto delay = std::max(backoff.Next(), RequestedDelay(status));
    if (std::chrono::steady_clock::now() + delay > give_up) return status;
    Pause(delay);
  }
}

bool Connection::Pause(std::chrono::milliseconds delay) const {
  const auto until = std::chrono::system_clock::now() + delay;
  if (channel_->GetState(/*try_to_connect=*/true) == GRPC_CHANNEL_READY) {
    std::this_thread::sleep_for(delay);  // it is the server's refusal that is waited out
    return false;
  }
  // A server that takes connections and breaks them again is not met at full speed.
  std::this_thread::sleep_for(delay / 4);
  return channel_->WaitForConnected(until);
}

}  // namespace tally::internal
