// Everything that can be configured, with its defaults and ranges.
//
// One walk over all keys (VisitConfig) serves the reader, the printer and the comparison that
// SIGHUP needs, so that a key cannot be known to one and not to another.

#ifndef TALLY_DAEMON_CONFIG_CONFIG_H_
#define TALLY_DAEMON_CONFIG_CONFIG_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"

namespace tally::config {

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };
enum class Durability : uint8_t { kDurable, kBuffered };
enum class Retain : uint8_t { kNeeded, kAll };

struct Listen {
  std::string unix_path = "/run/tally/tallyd.sock";  // "": none
  std::string unix_mode = "0660";                    // four octal digits
  std::string tcp;                                   // "": none
  bool insecure = false;                             // allows TCP beyond loopback without TLS
};

struct Limits {
  uint64_t message_bytes = 4u << 20;
  uint32_t rows = 4096;
  uint64_t window_bytes = 1u << 20;
  uint32_t streams = 64;
  uint32_t connections = 128;
  uint32_t models = 16;
  uint32_t sources = 1024;
  uint64_t parameters = 64u << 20;
  uint64_t journal_bytes = 1u << 30;
  uint64_t memory_bytes = uint64_t{4} << 30;  // of all learners
};

struct Training {
  uint64_t digest_interval_steps = 1000;
  uint64_t publish_interval_steps = 64;
  uint64_t publish_interval_ms = 100;
  uint64_t queue_bytes = 1u << 20;
  uint32_t threads = 1;  // that share one mini-batch; of all models together
};

struct Checkpoint {
  uint64_t replay_ms = 10000;
  uint64_t interval_ms = 60000;
  uint32_t keep = 3;
  Retain retain = Retain::kNeeded;
};

struct Drain {
  uint64_t delay_ms = 2000;
  uint64_t timeout_ms = 30000;
};

// A model the file asks for: created when it does not exist yet.
struct ConfiguredModel {
  ModelSpec spec;
  // "tallyd.yaml:31" or the spec's own file, and the variables that changed it.
  std::string origin;
};

struct Config {
  std::string state_dir = "/var/lib/tally";
  Listen listen;
  bool reflection = true;
  LogLevel log_level = LogLevel::kInfo;
  Durability durability = Durability::kDurable;
  uint64_t commit_interval_ms = 0;
  Limits limits;
  Training training;
  Checkpoint checkpoint;
  Drain drain;
  std::vector<ConfiguredModel> models;
};

// Whether a changed value takes effect on SIGHUP.
enum class Reload : uint8_t { kNeedsRestart, kLive };

class ConfigVisitor {
 public:
  virtual ~ConfigVisitor() = default;
  virtual void Section(std::string_view key, const std::function<void()>& visit) = 0;
  virtual void Text(std::string_view key, std::string& value, Reload reload) = 0;
  virtual void Bool(std::string_view key, bool& value, Reload reload) = 0;
  // `names[value]` is the text.
  virtual void Choice(std::string_view key, const std::vector<std::string_view>& names,
                      uint8_t& value, Reload reload) = 0;
  struct Range {
    uint64_t min = 0;
    uint64_t max = 0;
  };
  virtual void Count(std::string_view key, Range range, uint64_t& value, Reload reload) = 0;
  virtual void Size(std::string_view key, Range range, uint64_t& value, Reload reload) = 0;
  virtual void Duration(std::string_view key, Range range_ms, uint64_t& value_ms,
                        Reload reload) = 0;
};

// Every key but `version` and `models`.
void VisitConfig(ConfigVisitor& visitor, Config& config);

// Their dotted paths: "state_dir", "listen.unix", ...
std::vector<std::string> ConfigPaths();

// Where each value came from, by dotted path: "tallyd.yaml:12", "TALLY_LIMITS__ROWS", "command
// line". Defaults are left out.
using Origins = std::map<std::string, std::string>;

struct LoadedConfig {
  Config config;
  Origins origins;
};

// Dotted paths of the keys (models included) whose values differ.
struct ConfigChanges {
  std::vector<std::string> live;
  std::vector<std::string> need_restart;
};
ConfigChanges CompareConfigs(const Config& running, const Config& wanted);

// The effective configuration as YAML that loads again, each value followed by its origin as a
// comment.
std::string PrintConfig(const LoadedConfig& loaded);

// The mode as a number; the reader has checked the text.
uint32_t UnixMode(const Listen& listen);

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_CONFIG_H_
