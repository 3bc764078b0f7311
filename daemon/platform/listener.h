// Listening sockets: Unix and TCP ones made here, or handed over by systemd.

#ifndef TALLY_DAEMON_PLATFORM_LISTENER_H_
#define TALLY_DAEMON_PLATFORM_LISTENER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tally::platform {

// Owns a descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { Reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset();

 private:
  int fd_ = -1;
};

// A socket that listens, does not block, and is closed on exec. Unlinks its Unix path on
// destruction, unless the socket came from systemd or somebody has put another one in its place.
class Listener {
 public:
  // A stale socket file, one that nobody answers on, is replaced. FAILED_PRECONDITION if somebody
  // answers or the path is no socket.
  static absl::StatusOr<Listener> Unix(const std::string& path, uint32_t mode);
  // `host` is a numeric IPv4 or IPv6 address; port 0 takes a free one.
  static absl::StatusOr<Listener> Tcp(const std::string& host, uint16_t port);
  // The sockets of socket activation; none if there was none. A TCP one beyond loopback is refused
  // without `insecure`.
  static absl::StatusOr<std::vector<Listener>> FromSystemd(bool insecure);

  ~Listener();
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;

  int fd() const { return fd_.get(); }
  bool is_unix() const { return is_unix_; }
  // As a client would write it: "unix:/run/tally/tallyd.sock", "127.0.0.1:50051", "[::1]:50051".
  const std::string& address() const { return address_; }

 private:
  Listener(UniqueFd fd, bool is_unix, std::string address)
      : fd_(std::move(fd)), is_unix_(is_unix), address_(std::move(address)) {}

  UniqueFd fd_;
  bool is_unix_ = false;
  std::string address_;
  std::string owned_path_;
  uint64_t owned_inode_ = 0;
};

}  // namespace tally::platform

#endif  // TALLY_DAEMON_PLATFORM_LISTENER_H_
