// Counts open connections whose descriptors belong to somebody else (gRPC).

#ifndef TALLY_DAEMON_PLATFORM_CONNECTION_CAP_H_
#define TALLY_DAEMON_PLATFORM_CONNECTION_CAP_H_

#include <cstdint>
#include <map>

#include "daemon/platform/listener.h"

namespace tally::platform {

// Keeps a duplicate of each descriptor in an epoll set that reports hang-ups and nothing else, so
// that traffic on the connections wakes nobody here. A connection counts until both directions are
// shut, which gRPC does before it closes its own descriptor. One thread at a time.
class ConnectionCap {
 public:
  ConnectionCap();

  // Readable when Collect has something to do. -1 if the set could not be made.
  int fd() const { return epoll_.get(); }
  // Forgets the connections that have ended.
  void Collect();
  // Starts to count `fd`, which stays the caller's. False if it cannot be watched.
  bool Add(int fd);
  uint64_t open() const { return watched_.size(); }

 private:
  UniqueFd epoll_;
  std::map<int, UniqueFd> watched_;
};

}  // namespace tally::platform

#endif  // TALLY_DAEMON_PLATFORM_CONNECTION_CAP_H_
