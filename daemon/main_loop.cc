#include "daemon/main_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstring>
#include <list>
#include <utility>

#include "core/text/strings.h"
#include "daemon/platform/connection_cap.h"
#include "daemon/platform/log.h"
#include "daemon/platform/notify.h"

namespace tally {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using platform::Log;
using platform::LogLevel;

// After accept has failed for lack of descriptors or memory.
constexpr std::chrono::milliseconds kAcceptPause(100);
// Connections taken in one go, so that signals and timers get their turn.
constexpr int kAcceptBurst = 16;

// Asio's descriptor closes what it holds; listeners and the cap keep their own.
int Duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

}  // namespace

struct MainLoop::Impl {
  Impl(Handlers handlers_in, uint32_t connections_max_in, uint64_t drain_delay_ms_in)
      : handlers(std::move(handlers_in)),
        connections_max(connections_max_in),
        drain_delay_ms(drain_delay_ms_in),
        signals(io, SIGTERM, SIGINT, SIGHUP),
        drain_timer(io),
        watchdog_timer(io),
        hang_ups(io, Duplicate(cap.fd())) {
    WaitForSignal();
    WaitForHangUp();
  }

  struct Door {
    Door(asio::io_context& io, const platform::Listener& listener_in)
        : listener(listener_in), descriptor(io, Duplicate(listener_in.fd())), pause(io) {}
    const platform::Listener& listener;
    asio::posix::stream_descriptor descriptor;
    asio::steady_timer pause;
  };

  void WaitForConnection(Door& door) {
    door.descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                               [this, &door](error_code error) {
                                 if (error) return;
                                 if (AcceptSome(door)) {
                                   WaitForConnection(door);
                                   return;
                                 }
                                 door.pause.expires_after(kAcceptPause);
                                 door.pause.async_wait([this, &door](error_code cancelled) {
                                   if (!cancelled) WaitForConnection(door);
                                 });
                               });
  }

  // False if accepting must pause.
  bool AcceptSome(Door& door) {
    for (int i = 0; i < kAcceptBurst; ++i) {
      platform::UniqueFd fd(
          accept4(door.listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd.get() < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          Log(LogLevel::kWarning, "cannot accept", {{"error", std::strerror(errno)}});
          return false;
        }
        return true;  // nothing left, or the client has gone already
      }
      TakeConnection(door, std::move(fd));
    }
    return true;
  }

  void TakeConnection(Door& door, platform::UniqueFd fd) {
    cap.Collect();
    if (cap.open() >= connections_max || !cap.Add(fd.get())) {
      Log(LogLevel::kWarning, "connection refused",
          {{"address", door.listener.address()},
           {"open", text::StrCat(cap.open())},
           {"limits.connections", text::StrCat(connections_max)}});
      return;
    }
    if (!door.listener.is_unix()) {
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    handlers.connection(fd.Release(), door.listener.fd());
  }

  void WaitForHangUp() {
    hang_ups.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
      if (error) return;
      cap.Collect();
      WaitForHangUp();
    });
  }

  void WaitForSignal() {
    signals.async_wait([this](error_code error, int signal) {
      if (error) return;
      signal == SIGHUP ? handlers.reload() : Stop(signal);
      WaitForSignal();
    });
  }

  void Stop(int signal) {
    if (stopping) {
      drain_timer.cancel();
      io.stop();
      return;
    }
    stopping = true;
    handlers.stopping();
    const bool interactive = signal == SIGINT && isatty(STDIN_FILENO) == 1;
    drain_timer.expires_after(std::chrono::milliseconds(interactive ? 0 : drain_delay_ms));
    drain_timer.async_wait([this](error_code) { io.stop(); });
  }

  void FeedWatchdog() {
    // Four looks an interval: a mini-batch may take three quarters of it.
    watchdog_timer.expires_after(std::chrono::milliseconds(watchdog_ms / 4));
    watchdog_timer.async_wait([this](error_code error) {
      if (error) return;
      if (handlers.made_progress()) platform::NotifyWatchdog();
      FeedWatchdog();
    });
  }

  const Handlers handlers;
  uint32_t connections_max;
  const uint64_t drain_delay_ms;
  uint64_t watchdog_ms = 0;
  bool stopping = false;
  asio::io_context io;
  asio::signal_set signals;
  asio::steady_timer drain_timer;
  asio::steady_timer watchdog_timer;
  platform::ConnectionCap cap;
  asio::posix::stream_descriptor hang_ups;
  std::list<Door> doors;
};

MainLoop::MainLoop(Handlers handlers, uint32_t connections_max, uint64_t drain_delay_ms)
    : impl_(std::make_unique<Impl>(std::move(handlers), connections_max, drain_delay_ms)) {}

MainLoop::~MainLoop() = default;

void MainLoop::Accept(const platform::Listener& listener) {
  impl_->doors.emplace_back(impl_->io, listener);
  impl_->WaitForConnection(impl_->doors.back());
}

void MainLoop::StartWatchdog(uint64_t interval_ms) {
  if (interval_ms == 0) return;
  impl_->watchdog_ms = interval_ms;
  impl_->FeedWatchdog();
}

void MainLoop::SetConnectionsMax(uint32_t connections_max) {
  impl_->connections_max = connections_max;
}

void MainLoop::Post(std::function<void()> work) { asio::post(impl_->io, std::move(work)); }

void MainLoop::Run() {
  impl_->io.run();
  impl_->doors.clear();
}

}  // namespace tally
