// The daemon's one event loop: accepts connections, handles signals, feeds the watchdog.

#ifndef TALLY_DAEMON_MAIN_LOOP_H_
#define TALLY_DAEMON_MAIN_LOOP_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/platform/listener.h"

namespace tally {

class MainLoop {
 public:
  struct Handlers {
    // Owns the descriptor from now on.
    std::function<void(int fd, int listener_fd)> connection;
    // SIGTERM or SIGINT, once: announce the end. Run returns after the drain delay, which a second
    // signal cuts short and which an interactive SIGINT does not have.
    std::function<void()> stopping;
    std::function<void()> reload;  // SIGHUP
    // At a quarter of the watchdog's interval: whether the daemon is alive in earnest.
    std::function<bool()> made_progress;
  };

  MainLoop(Handlers handlers, uint32_t connections_max, uint64_t drain_delay_ms);
  ~MainLoop();

  // `listener` outlives Run.
  void Accept(const platform::Listener& listener);
  void StartWatchdog(uint64_t interval_ms);
  void SetConnectionsMax(uint32_t connections_max);
  // Runs `work` on the loop's thread; the only member that other threads may call.
  void Post(std::function<void()> work);

  // Returns when the daemon is to stop; from then on nothing is accepted.
  void Run();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tally

#endif  // TALLY_DAEMON_MAIN_LOOP_H_
