// The frame around the commands: options common to all, errors, exit codes.

#ifndef TALLY_CLIENT_CLI_COMMAND_SET_H_
#define TALLY_CLIENT_CLI_COMMAND_SET_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/status/status.h"
#include "client/cli/output.h"

namespace tally::cli {

// What every command is given when it runs.
struct Context {
  Output& output;
  std::string server;  // --server: the daemon's address, as client/lib understands it
};

struct CommandInfo {
  std::string name;
  std::string summary;  // one line, for `tally --help`
  std::string example;  // one or more command lines, shown under the command's --help
};

class CommandSet {
 public:
  using Action = std::function<absl::Status(Context& context)>;

  explicit CommandSet(Output& output);

  // Adds a command; the caller adds its options to what this returns. `action` runs after the
  // command line has been read.
  CLI::App& Add(const CommandInfo& info, Action action);

  // Of the commands added so far.
  std::vector<std::string> Names() const;

  // Reads the command line (without the program's name) and runs the chosen command. Returns the
  // exit code; errors have been printed. Called once.
  int Run(std::vector<std::string> arguments);

 private:
  absl::Status Parse(std::vector<std::string> arguments, bool& help_shown);
  absl::Status UnknownCommand(const std::string& name) const;

  Output& output_;
  Context context_;
  bool json_ = false;  // read by main before anything else; declared here for --help
  CLI::App app_;
  std::map<const CLI::App*, Action> actions_;
};

// Whether --json is among the arguments: asked before parsing, because errors of the command line
// are printed as JSON too.
bool WantsJson(const std::vector<std::string>& arguments);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_COMMAND_SET_H_
