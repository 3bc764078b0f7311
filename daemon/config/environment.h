// Environment variables as a layer of the configuration: TALLY_LIMITS__ROWS=100 is limits.rows.
//
// A variable belongs to the configuration if its name begins with TALLY_ and
//   - its first part is a top-level key (TALLY_LIMITS__..., TALLY_STATE_DIR), or
//   - it contains a double underscore, or
//   - it is at most two letters away from a valid name (TALLY_LIMITS_ROWS, TALLY_DURABILTY).
// Such a variable must be valid. All others are left alone: TALLY_SERVER and TALLY_DATA_DIR belong
// to the `tally` command and to scripts, and container platforms add names of their own
// (TALLY_SERVICE_HOST).

#ifndef TALLY_DAEMON_CONFIG_ENVIRONMENT_H_
#define TALLY_DAEMON_CONFIG_ENVIRONMENT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/text/value.h"

namespace tally::config {

// TALLY_MODELS__0__NAME=digits
struct ModelVariable {
  std::string name;
  std::vector<std::string> path;  // below `models`: {"0", "name"}; at least one part
  text::Value value;
};

struct EnvironmentLayer {
  text::Value document;               // every key but `models`, as a file would hold them
  std::vector<ModelVariable> models;  // by index; a whole model before its parts
};

// Values are taken as text, as if quoted (numbers, sizes and choices are read from text too);
// `true` and `false` are booleans, and below `models` what begins with [ or { is YAML. Errors are
// INVALID_ARGUMENT naming the variable and, if there is one, the nearest valid name.
absl::StatusOr<EnvironmentLayer> ReadEnvironment(const std::vector<std::string>& environment);

// Puts `value` at `path` below `root`, making the maps on the way; in a list a part is an index,
// and the first free one adds an item. `shown` is the path of `root` in messages.
absl::Status PutValue(text::Value& root, const std::vector<std::string>& path, text::Value value,
                      std::string shown);

// What this process was started with.
std::vector<std::string> ProcessEnvironment();

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_ENVIRONMENT_H_
