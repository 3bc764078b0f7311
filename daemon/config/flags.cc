#include "daemon/config/flags.h"

#include <getopt.h>

#include <array>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/config/config_files.h"
#include "daemon/config/config_reader.h"

namespace tally::config {
namespace {

constexpr char kDefaultConfigFile[] = "/etc/tally/tallyd.yaml";

enum Option : int { kConfig = 1, kStateDir, kListen, kCheck, kPrint, kShowVersion, kShowHelp };

constexpr std::array<option, 8> kOptions = {{
    {"config", required_argument, nullptr, kConfig},
    {"state-dir", required_argument, nullptr, kStateDir},
    {"listen", required_argument, nullptr, kListen},
    {"check-config", no_argument, nullptr, kCheck},
    {"print-config", no_argument, nullptr, kPrint},
    {"version", no_argument, nullptr, kShowVersion},
    {"help", no_argument, nullptr, kShowHelp},
    {nullptr, 0, nullptr, 0},
}};

absl::Status Apply(int option, const std::string& argument, Flags& flags) {
  switch (option) {
    case kConfig:
      flags.config_file = argument;
      return absl::OkStatus();
    case kStateDir:
      flags.state_dir = argument;
      return absl::OkStatus();
    case kListen:
      flags.listen.push_back(argument);
      return absl::OkStatus();
    case kCheck:
      flags.action = Action::kCheckConfig;
      return absl::OkStatus();
    case kPrint:
      flags.action = Action::kPrintConfig;
      return absl::OkStatus();
    case kShowVersion:
      flags.action = Action::kVersion;
      return absl::OkStatus();
    case kShowHelp:
      flags.action = Action::kHelp;
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError(text::StrCat(
          "flag \"", argument, "\" is unknown, ambiguous or lacks its value; try --help"));
  }
}

void LayOver(const Flags& flags, LoadedConfig& loaded) {
  if (flags.state_dir) {
    loaded.config.state_dir = *flags.state_dir;
    loaded.origins["state_dir"] = "command line";
  }
  if (flags.listen.empty()) return;
  loaded.config.listen.unix_path.clear();
  loaded.config.listen.tcp.clear();
  for (const std::string& address : flags.listen) {
    if (address.starts_with("unix:")) {
      loaded.config.listen.unix_path = address.substr(5);
    } else {
      loaded.config.listen.tcp = address;
    }
  }
  loaded.origins["listen.unix"] = "command line";
  loaded.origins["listen.tcp"] = "command line";
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& arguments) {
  std::vector<std::string> texts = {"tallyd"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  const int argc = static_cast<int>(texts.size());

  Flags flags;
  optind = 0;  // glibc: start anew, so that a second call in one process works
  opterr = 0;
  for (;;) {
    const int option = getopt_long(argc, argv.data(), "", kOptions.data(), nullptr);
    if (option == -1) break;
    const bool known = option != '?' && option != ':';
    TALLY_RETURN_IF_ERROR(Apply(
        option, known ? (optarg == nullptr ? "" : optarg) : argv[static_cast<size_t>(optind - 1)],
        flags));
  }
  if (optind < argc) {
    return absl::InvalidArgumentError(text::StrCat(
        "unexpected argument \"", argv[static_cast<size_t>(optind)], "\"; try --help"));
  }
  return flags;
}

absl::StatusOr<LoadedConfig> LoadEffectiveConfig(const Flags& flags,
                                                 std::vector<std::string> environment) {
  TALLY_ASSIGN_OR_RETURN(ConfigSources sources,
                         ReadConfigFiles(flags.config_file.value_or(kDefaultConfigFile),
                                         flags.config_file.has_value()));
  sources.environment = std::move(environment);
  TALLY_ASSIGN_OR_RETURN(LoadedConfig loaded, ParseConfig(sources, ReadWholeFile));
  LayOver(flags, loaded);
  TALLY_RETURN_IF_ERROR(CheckConfig(loaded));
  return loaded;
}

std::string HelpText() {
  return text::StrCat(
      "tallyd: trains and serves integer neural networks over gRPC.\n"
      "\n"
      "Usage: tallyd [FLAGS]\n"
      "\n"
      "  --config FILE     configuration (default ",
      kDefaultConfigFile,
      "; without it: built-in defaults)\n"
      "  --state-dir DIR   where models live (default /var/lib/tally)\n"
      "  --listen ADDRESS  unix:PATH or ADDRESS:PORT; may be given once each, and replaces "
      "`listen`\n"
      "                    as configured (default unix:/run/tally/tallyd.sock; port 0: a free "
      "one)\n"
      "  --check-config    read the configuration and exit: 0 and OK, or 78 and what is wrong\n"
      "  --print-config    print the effective configuration with the origin of every value\n"
      "  --version         print the version\n"
      "  --help            print this\n"
      "\n"
      "What is configured, the later over the earlier: built-in defaults, FILE, conf.d/*.yaml in "
      "the\n"
      "folder of FILE by name, environment variables as in TALLY_LIMITS__ROWS=100, and these "
      "flags.\n"
      "\n"
      "Signals: SIGTERM and SIGINT drain, checkpoint and exit 0; SIGHUP reloads log level and "
      "limits.\n"
      "\n"
      "Example:\n"
      "  tallyd --state-dir ./state --listen unix:./tallyd.sock\n");
}

std::string_view Version() { return TALLY_VERSION; }

}  // namespace tally::config
