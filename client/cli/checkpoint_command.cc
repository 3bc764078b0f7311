#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/model_wait.h"
#include "client/cli/remote.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct CheckpointOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string name;
};

absl::Status RunCheckpoint(const CheckpointOptions& options, Context& context) {
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  TALLY_RETURN_IF_ERROR(WaitForModel(**client, options.name, options.wait, context).status());
  const auto checkpoint = (*client)->Checkpoint(options.name);
  if (!checkpoint.ok()) return RemoteError(checkpoint.status());
  context.output.Line(text::StrCat("saved ", CheckpointLine(*checkpoint)));
  context.output.Result(
      JsonObject().Add("model", options.name).Add("checkpoint", CheckpointJson(*checkpoint)));
  return absl::OkStatus();
}

}  // namespace

void AddCheckpointCommand(CommandSet& commands) {
  auto options = std::make_shared<CheckpointOptions>();
  CLI::App& command =
      commands.Add({"checkpoint", "Save a generation of a model now", "tally checkpoint digits"},
                   [options](Context& context) { return RunCheckpoint(*options, context); });
  command.add_option("model", options->name, "The model")->required();
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
