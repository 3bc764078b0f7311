// The configuration file and its drop-ins on disk.

#ifndef TALLY_DAEMON_CONFIG_CONFIG_FILES_H_
#define TALLY_DAEMON_CONFIG_CONFIG_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "daemon/config/config_reader.h"

namespace tally::config {

// The file, and the drop-ins beside it: conf.d/*.yaml in the byte order of their names, without
// hidden ones. Without `required` a missing file is no error; a missing folder conf.d never is.
// `environment` of the result stays empty.
absl::StatusOr<ConfigSources> ReadConfigFiles(const std::string& file_name, bool required);

// At most 16 MiB. NOT_FOUND, or INVALID_ARGUMENT for everything else that goes wrong.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_CONFIG_FILES_H_
