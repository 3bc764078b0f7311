// Every command of `tally`; each Add... is in the file of its name.

#ifndef TALLY_CLIENT_CLI_COMMANDS_H_
#define TALLY_CLIENT_CLI_COMMANDS_H_

#include "client/cli/command_set.h"

namespace tally::cli {

// Without a daemon.
void AddFitCommand(CommandSet& commands);
void AddInspectCommand(CommandSet& commands);
void AddSynthCommand(CommandSet& commands);
void AddZooCommand(CommandSet& commands);

// With one.
void AddCheckpointCommand(CommandSet& commands);
void AddCheckpointsCommand(CommandSet& commands);
void AddCreateCommand(CommandSet& commands);
void AddDeleteCommand(CommandSet& commands);
void AddDigestCommand(CommandSet& commands);
void AddEvaluateCommand(CommandSet& commands);
void AddExportCommand(CommandSet& commands);
void AddImportCommand(CommandSet& commands);
void AddModelsCommand(CommandSet& commands);
void AddPredictCommand(CommandSet& commands);
void AddRollbackCommand(CommandSet& commands);
void AddStatusCommand(CommandSet& commands);
void AddTrainCommand(CommandSet& commands);

// All commands, in the order of `tally --help`.
void AddAllCommands(CommandSet& commands);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_COMMANDS_H_
