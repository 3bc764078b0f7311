// The layers of the configuration -> Config, strictly.

#ifndef TALLY_DAEMON_CONFIG_CONFIG_READER_H_
#define TALLY_DAEMON_CONFIG_CONFIG_READER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/config/config.h"
#include "daemon/config/model_list.h"

namespace tally::config {

struct ConfigFile {
  std::string name;  // in messages and origins
  std::string yaml;
};

// What a configuration is made of but the command line, in rising precedence.
struct ConfigSources {
  std::optional<ConfigFile> file;        // absent: the defaults
  std::vector<ConfigFile> drop_ins;      // fragments: `version` may be missing
  std::vector<std::string> environment;  // "NAME=value", as environment.h reads it
  std::string folder;                    // of the configuration file, with '/' at the end, or ""
};

// Lays each source over those before it; a key that a source does not name keeps its value, and
// models are added up. Every source is checked as a whole, also where a later one has the last
// word. Errors are INVALID_ARGUMENT "file:line: path: what" or "VARIABLE: path: what", and for an
// unknown key or variable the nearest valid one. `read_file` fetches the spec files that `models`
// names, whose paths are relative to `folder`. CheckConfig is left to the caller.
absl::StatusOr<LoadedConfig> ParseConfig(const ConfigSources& sources, const FileReader& read_file);

// What no single key's range can say; once all layers are in place, the command line included.
absl::Status CheckConfig(const LoadedConfig& loaded);

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_CONFIG_READER_H_
