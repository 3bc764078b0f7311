// The parts of tallyd and their order: models, server, listeners, event loop, drain.

#ifndef TALLY_DAEMON_DAEMON_H_
#define TALLY_DAEMON_DAEMON_H_

#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "core/parallel/worker_pool.h"
#include "daemon/config/config.h"
#include "daemon/config/flags.h"
#include "daemon/hosting/registry.h"
#include "daemon/main_loop.h"
#include "daemon/platform/listener.h"
#include "daemon/rpc/server.h"

namespace tally {

class Daemon {
 public:
  // `flags` are read again with the file at SIGHUP.
  Daemon(config::Flags flags, config::Config config);

  // Locks the state directory, begins the recovery of its models and creates those the
  // configuration asks for.
  absl::Status OpenModels();
  absl::Status StartServer();
  absl::Status OpenListeners();
  // Serves until a signal says stop. Readiness is told when recovery is over.
  void Run();
  // Ends the calls under way, finishes and checkpoints every model.
  absl::Status Drain();

 private:
  void AcceptConnections();
  void FinishRecovery();  // on a thread of its own
  void BecomeReady();
  void AnnounceStop();
  void Reload();
  void ApplyLiveSettings();

  const config::Flags flags_;
  config::Config config_;
  rpc::LiveLimits limits_;
  rpc::Health health_;
  std::unique_ptr<WorkerPool> workers_;  // outlives the learners of registry_
  std::unique_ptr<hosting::Registry> registry_;
  std::unique_ptr<rpc::Catalog> catalog_;
  std::unique_ptr<rpc::Server> server_;
  std::vector<platform::Listener> listeners_;
  std::unique_ptr<MainLoop> loop_;
  std::thread recovery_;    // joined by Drain
  bool recovered_ = false;  // touched on the loop's thread only
};

}  // namespace tally

#endif  // TALLY_DAEMON_DAEMON_H_
