#include "client/cli/commands.h"

namespace tally::cli {

void AddAllCommands(CommandSet& commands) {
  AddFitCommand(commands);
  AddZooCommand(commands);
  AddInspectCommand(commands);
  AddSynthCommand(commands);
}

}  // namespace tally::cli
