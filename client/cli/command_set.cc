#include "client/cli/command_set.h"

#include <algorithm>
#include <utility>

#include "CLI/Error.hpp"
#include "client/cli/exit_code.h"
#include "core/text/object_reader.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

constexpr char kDefaultServer[] = "unix:/run/tally/tallyd.sock";

}  // namespace

CommandSet::CommandSet(Output& output)
    : output_(output),
      context_{output, kDefaultServer},
      app_("Integer neural networks that keep learning: talk to tallyd, or train without it.",
           "tally") {
  app_.require_subcommand(0, 1);  // Parse says what is missing, and knows the names
  app_.fallthrough();
  app_.add_flag("--json", json_, "Print one JSON object as the last line of standard output");
  app_.add_option("--server", context_.server,
                  "The daemon: unix:PATH or HOST:PORT (environment: TALLY_SERVER)")
      ->envname("TALLY_SERVER")
      ->capture_default_str();
  app_.set_version_flag("--version", "tally " TALLY_VERSION);
  app_.footer(
      "Example:\n  tally fit pocketnn/mnist-mlp --data mnist --out digits.safetensors\n"
      "`tally COMMAND --help` explains a command and shows an example.");
}

CLI::App& CommandSet::Add(const CommandInfo& info, Action action) {
  CLI::App* command = app_.add_subcommand(info.name, info.summary);
  command->footer("Example:\n  " + info.example);
  actions_[command] = std::move(action);
  return *command;
}

std::vector<std::string> CommandSet::Names() const {
  std::vector<std::string> names;
  for (const CLI::App* const command : app_.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

absl::Status CommandSet::Parse(std::vector<std::string> arguments, bool& help_shown) {
  // CLI11 reports by exceptions; they end here. It takes its arguments last first.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app_.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    help_shown = true;
    output_.Line(app_.help());  // of the chosen command, if there is one
  } catch (const CLI::CallForAllHelp&) {
    help_shown = true;
    output_.Line(app_.help("", CLI::AppFormatMode::All));
  } catch (const CLI::CallForVersion& version) {
    help_shown = true;
    output_.Line(version.what());
  } catch (const CLI::ParseError& error) {
    const std::vector<CLI::App*> chosen = app_.get_subcommands();
    const std::vector<std::string> unread = app_.remaining();
    if (chosen.empty() && !unread.empty() && !unread.front().starts_with('-')) {
      return UnknownCommand(unread.front());
    }
    const std::string where = chosen.empty() ? "tally" : "tally " + chosen.front()->get_name();
    return UsageError(text::StrCat(error.what(), "; see `", where, " --help`"));
  }
  if (!help_shown && app_.get_subcommands().empty()) {
    return UsageError("name a command; see `tally --help`");
  }
  return absl::OkStatus();
}

absl::Status CommandSet::UnknownCommand(const std::string& name) const {
  const std::string nearest = text::NearestName(name, Names());
  return UsageError(
      text::StrCat("there is no command \"", name, "\"; ",
                   nearest.empty() ? "" : text::StrCat("did you mean \"", nearest, "\"? "),
                   "see `tally --help`"));
}

int CommandSet::Run(std::vector<std::string> arguments) {
  bool help_shown = false;
  absl::Status status = Parse(std::move(arguments), help_shown);
  if (status.ok() && !help_shown) status = actions_.at(app_.get_subcommands().front())(context_);
  if (!status.ok()) output_.Error(status);
  if (!output_.Flush() && status.ok()) return static_cast<int>(ExitCode::kInputOutput);
  return static_cast<int>(ExitCodeOf(status));
}

bool WantsJson(const std::vector<std::string>& arguments) {
  return std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
}

}  // namespace tally::cli
