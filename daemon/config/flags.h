// The command line of tallyd.

#ifndef TALLY_DAEMON_CONFIG_FLAGS_H_
#define TALLY_DAEMON_CONFIG_FLAGS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/config/config.h"

namespace tally::config {

enum class Action : uint8_t { kRun, kCheckConfig, kPrintConfig, kVersion, kHelp };

struct Flags {
  Action action = Action::kRun;
  std::optional<std::string> config_file;  // absent: the default path, which may be missing
  std::optional<std::string> state_dir;
  std::vector<std::string> listen;  // "unix:PATH" or "ADDRESS:PORT"; replaces what is configured
};

// INVALID_ARGUMENT names the flag that is wrong. `arguments` without the program's name.
absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& arguments);

// Everything: defaults, file, drop-ins, `environment` ("NAME=value"), flags, each laid over what is
// before it; checked.
absl::StatusOr<LoadedConfig> LoadEffectiveConfig(const Flags& flags,
                                                 std::vector<std::string> environment);

std::string HelpText();
std::string_view Version();  // "0.1.0"

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_FLAGS_H_
