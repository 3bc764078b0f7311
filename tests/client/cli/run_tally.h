// The `tally` command without a process.

#ifndef TALLY_TESTS_CLIENT_CLI_RUN_TALLY_H_
#define TALLY_TESTS_CLIENT_CLI_RUN_TALLY_H_

#include <sstream>
#include <string>
#include <vector>

#include "client/cli/command_set.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"

namespace tally::cli {

struct RunResult {
  int exit_code;
  std::string out;
  std::string err;

  // The last line of standard output.
  std::string LastLine() const {
    const std::string text = out.substr(0, out.find_last_not_of('\n') + 1);
    const size_t newline = text.rfind('\n');
    return newline == std::string::npos ? text : text.substr(newline + 1);
  }
};

// `terminal`: as if standard error were one.
inline RunResult RunTally(const std::vector<std::string>& arguments, bool terminal = false) {
  std::ostringstream out;
  std::ostringstream err;
  Output output(out, err, WantsJson(arguments), terminal);
  CommandSet commands(output);
  AddAllCommands(commands);
  const int exit_code = commands.Run(arguments);
  return {exit_code, out.str(), err.str()};
}

}  // namespace tally::cli

#endif  // TALLY_TESTS_CLIENT_CLI_RUN_TALLY_H_
