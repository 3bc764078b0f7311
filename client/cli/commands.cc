#include "client/cli/commands.h"

namespace tally::cli {

void AddAllCommands(CommandSet&) {}

}  // namespace tally::cli
