// Digests travel as 64 hex digits and are stored as 32 bytes.

#ifndef TALLY_DAEMON_STORAGE_HEX_H_
#define TALLY_DAEMON_STORAGE_HEX_H_

#include <optional>
#include <string>
#include <string_view>

#include "core/checkpoint/digest.h"

namespace tally::storage {

// Lower-case digits.
std::string ToHex(std::string_view bytes);

// Nothing unless `hex` is 64 digits of either case.
std::optional<std::string> DigestFromHex(std::string_view hex);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_HEX_H_
