// YAML -> Config, strictly.

#ifndef TALLY_DAEMON_CONFIG_CONFIG_READER_H_
#define TALLY_DAEMON_CONFIG_CONFIG_READER_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "daemon/config/config.h"

namespace tally::config {

using FileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// Reads the text of a configuration file. Errors are INVALID_ARGUMENT "file:line: path: what", and
// for an unknown key the nearest valid one. `read_file` fetches the spec files that `models` names;
// their paths are relative to the folder of `file_name`.
absl::StatusOr<LoadedConfig> ParseConfig(std::string_view yaml, const std::string& file_name,
                                         const FileReader& read_file);

// Reads the file and everything it names from disk. Without `required` a missing file gives the
// defaults.
absl::StatusOr<LoadedConfig> LoadConfig(const std::string& file_name, bool required);

// What no single key's range can say; also for values from the command line.
absl::Status CheckConfig(const Config& config);

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_CONFIG_READER_H_
