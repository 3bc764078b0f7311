#include "daemon/config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/numbers.h"
#include "core/text/strings.h"

namespace tally::config {
namespace {

absl::Status Malformed(std::string_view text) {
  return absl::InvalidArgumentError(text::StrCat(
      "\"", text, "\" is no TCP address; expected a numeric address and a port, as in ",
      "127.0.0.1:50051 or [::1]:50051"));
}

bool ParsePort(std::string_view text, uint16_t& port) {
  uint32_t value = 0;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  if (!absl::SimpleAtoi(text::AbslView(text), &value) || value > 65535) return false;
  port = static_cast<uint16_t>(value);
  return true;
}

}  // namespace

absl::StatusOr<TcpAddress> ParseTcpAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  TcpAddress address;
  if (colon == std::string_view::npos || !ParsePort(text.substr(colon + 1), address.port)) {
    return Malformed(text);
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  address.host = host == "localhost" ? "127.0.0.1" : std::string(host);

  in_addr v4 = {};
  in6_addr v6 = {};
  if (!bracketed && inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
    address.loopback = (ntohl(v4.s_addr) >> 24) == 127;
    return address;
  }
  if (bracketed && inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) {
    address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
    return address;
  }
  return Malformed(text);
}

}  // namespace tally::config
