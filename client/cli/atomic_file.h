// A file that is there whole or not at all, also after a power cut.

#ifndef TALLY_CLIENT_CLI_ATOMIC_FILE_H_
#define TALLY_CLIENT_CLI_ATOMIC_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tally::cli {

// Writes `bytes` to a temporary name beside `path`, syncs it, renames it over `path` and syncs the
// folder. On error the temporary file is removed and `path` is as before.
absl::Status WriteFileAtomically(const std::string& path, std::string_view bytes);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_ATOMIC_FILE_H_
