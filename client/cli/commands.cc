#include "client/cli/commands.h"

namespace tally::cli {

void AddAllCommands(CommandSet& commands) {
  AddFitCommand(commands);
  AddZooCommand(commands);
  AddInspectCommand(commands);
  AddSynthCommand(commands);
  AddStatusCommand(commands);
  AddModelsCommand(commands);
  AddCreateCommand(commands);
  AddTrainCommand(commands);
  AddPredictCommand(commands);
  AddEvaluateCommand(commands);
  AddDigestCommand(commands);
  AddCheckpointCommand(commands);
  AddCheckpointsCommand(commands);
  AddRollbackCommand(commands);
  AddExportCommand(commands);
  AddImportCommand(commands);
  AddDeleteCommand(commands);
}

}  // namespace tally::cli
