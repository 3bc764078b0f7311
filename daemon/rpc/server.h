// The gRPC server: all services, health, reflection, and the door for accepted connections.

#ifndef TALLY_DAEMON_RPC_SERVER_H_
#define TALLY_DAEMON_RPC_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "daemon/rpc/catalog.h"
#include "daemon/rpc/health.h"
#include "daemon/rpc/live_limits.h"
#include "daemon/storage/clock.h"

namespace tally::rpc {

struct ServerOptions {
  std::string version;
  bool reflection = true;
  bool buffered_by_default = false;  // durability of calls that do not say
};

class Server {
 public:
  // `catalog`, `limits`, `health` and `clock` outlive the server. It listens on nothing by itself.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Catalog& catalog, LiveLimits& limits,
                                                       Health& health, storage::Clock& clock,
                                                       const ServerOptions& options);
  ~Server();  // cancels what still runs

  // Takes over an accepted, non-blocking, connected descriptor.
  void HandleConnection(int fd, int listener_fd);

  // New calls are UNAVAILABLE; training streams end after their acknowledgements.
  void BeginDrain();
  // Waits up to `timeout_ms` for the calls under way, then cancels them.
  void Shutdown(uint64_t timeout_ms);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_SERVER_H_
