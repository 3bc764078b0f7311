// The `tally` command.

#include <sysexits.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/command_set.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "core/kernels/level.h"

int main(int argc, char** argv) {
  // A reader that went away (`tally zoo | head`) is seen as a failed write, not as a signal.
  std::signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  tally::cli::Output output(std::cout, std::cerr, tally::cli::WantsJson(arguments),
                            isatty(STDERR_FILENO) == 1);
  if (const auto problem = tally::kernels::LevelVariableProblem()) {
    std::cerr << "tally: " << *problem << "\n";
    return EX_USAGE;
  }
  tally::cli::CommandSet commands(output);
  tally::cli::AddAllCommands(commands);
  return commands.Run(arguments);
}
