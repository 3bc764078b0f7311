// Where to listen, as text.

#ifndef TALLY_DAEMON_CONFIG_ADDRESS_H_
#define TALLY_DAEMON_CONFIG_ADDRESS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace tally::config {

struct TcpAddress {
  std::string host;  // numeric, without brackets
  uint16_t port = 0;
  bool loopback = false;
};

// "127.0.0.1:50051", "[::1]:50051" or "localhost:50051" (which is 127.0.0.1). Other names are
// refused: what they mean depends on a resolver. Port 0 takes a free one.
absl::StatusOr<TcpAddress> ParseTcpAddress(std::string_view text);

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_ADDRESS_H_
