// Reading configurations without a disk.

#ifndef TALLY_TESTS_DAEMON_CONFIG_PARSE_SOURCES_H_
#define TALLY_TESTS_DAEMON_CONFIG_PARSE_SOURCES_H_

#include <map>
#include <string>

#include "daemon/config/config_reader.h"

namespace tally::config {

// ParseConfig and CheckConfig; spec files come from `files`, text by path.
inline absl::StatusOr<LoadedConfig> ParseSources(
    const ConfigSources& sources, const std::map<std::string, std::string>& files = {}) {
  auto loaded = ParseConfig(sources, [&](const std::string& path) -> absl::StatusOr<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return absl::NotFoundError("cannot read " + path);
    return found->second;
  });
  if (!loaded.ok()) return loaded;
  if (absl::Status checked = CheckConfig(*loaded); !checked.ok()) return checked;
  return loaded;
}

}  // namespace tally::config

#endif  // TALLY_TESTS_DAEMON_CONFIG_PARSE_SOURCES_H_
