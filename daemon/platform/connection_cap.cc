#include "daemon/platform/connection_cap.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>

namespace tally::platform {

ConnectionCap::ConnectionCap() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

void ConnectionCap::Collect() {
  std::array<epoll_event, 64> events;
  for (;;) {
    const int count = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      // Removed by hand: closing a duplicate leaves it in the set while the other descriptor is
      // open.
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
      watched_.erase(fd);
    }
    if (count < static_cast<int>(events.size())) return;
  }
}

bool ConnectionCap::Add(int fd) {
  UniqueFd duplicate(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (duplicate.get() < 0) return false;
  epoll_event event = {};  // no events asked for: hang-up and error are always reported
  event.data.fd = duplicate.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, duplicate.get(), &event) != 0) return false;
  const int key = duplicate.get();
  watched_[key] = std::move(duplicate);
  return true;
}

}  // namespace tally::platform
