#include "daemon/platform/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstring>

#include "core/text/strings.h"

namespace tally::platform {
namespace {

constexpr int kBacklog = 128;

absl::Status SystemError(std::string_view call, std::string_view address, int error) {
  return absl::UnavailableError(text::StrCat(call, " ", address, ": ", std::strerror(error)));
}

absl::StatusOr<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(text::StrCat("listen.unix: path \"", path,
                                                   "\" must have 1 to ",
                                                   sizeof(address.sun_path) - 1, " bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// Removes a socket file that nobody answers on.
absl::Status RemoveStaleSocket(const std::string& path, const sockaddr_un& address) {
  struct stat info = {};
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError("stat", path, errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(text::StrCat(
        "listen.unix: ", path, " exists and is no socket; remove it or choose another"));
  }
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) return SystemError("socket", path, errno);
  const bool answers =
      connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
      errno != ECONNREFUSED;
  if (answers) {
    return absl::FailedPreconditionError(text::StrCat("listen.unix: another process answers on ",
                                                      path, "; stop it or choose another path"));
  }
  if (unlink(path.c_str()) != 0) return SystemError("unlink", path, errno);
  return absl::OkStatus();
}

uint64_t InodeOf(const std::string& path) {
  struct stat info = {};
  return lstat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_ino) : 0;
}

std::string TcpText(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
    return text::StrCat(text, ":", ntohs(v4.sin_port));
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
  return text::StrCat("[", text, "]:", ntohs(v6.sin6_port));
}

bool IsLoopback(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

// Fills `storage` and returns its length; 0 if `host` is no numeric address.
socklen_t ParseAddress(const std::string& host, uint16_t port, sockaddr_storage& storage) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return sizeof(sockaddr_in);
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    return sizeof(sockaddr_in6);
  }
  return 0;
}

}  // namespace

void UniqueFd::Reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

absl::StatusOr<Listener> Listener::Unix(const std::string& path, uint32_t mode) {
  const absl::StatusOr<sockaddr_un> address = UnixAddress(path);
  if (!address.ok()) return address.status();
  if (absl::Status status = RemoveStaleSocket(path, *address); !status.ok()) return status;
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return SystemError("socket", path, errno);
  // The file appears closed to everybody else and is then opened as far as configured.
  if (fchmod(fd.get(), 0600) != 0 ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return SystemError("bind", path, errno);
  }
  Listener listener(std::move(fd), true, text::StrCat("unix:", path));
  listener.owned_path_ = path;
  listener.owned_inode_ = InodeOf(path);
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) return SystemError("chmod", path, errno);
  if (listen(listener.fd(), kBacklog) != 0) return SystemError("listen", path, errno);
  return listener;
}

absl::StatusOr<Listener> Listener::Tcp(const std::string& host, uint16_t port) {
  sockaddr_storage storage = {};
  socklen_t length = ParseAddress(host, port, storage);
  if (length == 0) {
    return absl::InvalidArgumentError(
        text::StrCat("listen.tcp: \"", host, "\" is no numeric IPv4 or IPv6 address"));
  }
  const std::string wanted = TcpText(storage);
  UniqueFd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return SystemError("socket", wanted, errno);
  const int on = 1;
  // A restart must not wait for the old connections' TIME_WAIT.
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) {
    return SystemError("bind", wanted, errno);
  }
  if (listen(fd.get(), kBacklog) != 0) return SystemError("listen", wanted, errno);
  length = sizeof(storage);
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
    return SystemError("getsockname", wanted, errno);
  }
  return Listener(std::move(fd), false, TcpText(storage));
}

absl::StatusOr<std::vector<Listener>> Listener::FromSystemd(bool insecure) {
  std::vector<Listener> listeners;
  const int count = sd_listen_fds(1);
  for (int i = 0; i < count; ++i) {
    const int fd = SD_LISTEN_FDS_START + i;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    sockaddr_storage storage = {};
    socklen_t length = sizeof(storage);
    if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
      return absl::FailedPreconditionError(
          text::StrCat("systemd passed descriptor ", fd, ", which is no listening stream socket"));
    }
    if (storage.ss_family == AF_UNIX) {
      const auto& address = reinterpret_cast<const sockaddr_un&>(storage);
      listeners.push_back(
          Listener(UniqueFd(fd), true, text::StrCat("unix:", std::string(address.sun_path))));
      continue;
    }
    if (!IsLoopback(storage) && !insecure) {
      return absl::FailedPreconditionError(
          text::StrCat("systemd passed a socket on ", TcpText(storage),
                       ", beyond loopback and without TLS; set listen.insecure: true to allow it"));
    }
    listeners.push_back(Listener(UniqueFd(fd), false, TcpText(storage)));
  }
  return listeners;
}

Listener::~Listener() {
  // A moved-from listener has no descriptor any more.
  if (fd_.get() < 0 || owned_path_.empty()) return;
  if (InodeOf(owned_path_) == owned_inode_) unlink(owned_path_.c_str());
}

}  // namespace tally::platform
