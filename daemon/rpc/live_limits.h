// The limits a request is held to. They may change while the daemon runs (SIGHUP).

#ifndef TALLY_DAEMON_RPC_LIVE_LIMITS_H_
#define TALLY_DAEMON_RPC_LIVE_LIMITS_H_

#include <atomic>
#include <cstdint>

namespace tally::rpc {

struct LiveLimits {
  std::atomic<uint64_t> message_bytes{4u << 20};  // a request message
  std::atomic<uint32_t> rows{4096};               // a request
  std::atomic<uint64_t> window_bytes{1u << 20};   // unacknowledged rows of a TrainStream
  std::atomic<uint32_t> streams{64};              // TrainStream calls at a time
  std::atomic<uint64_t> parameters{64u << 20};    // of all models; bounds the size of an Import
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_LIVE_LIMITS_H_
