#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/model_wait.h"
#include "client/cli/remote.h"
#include "core/text/status_macros.h"

namespace tally::cli {
namespace {

struct CheckpointsOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string name;
};

absl::Status RunCheckpoints(const CheckpointsOptions& options, Context& context) {
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  TALLY_RETURN_IF_ERROR(WaitForModel(**client, options.name, options.wait, context).status());
  const auto checkpoints = (*client)->ListCheckpoints(options.name);
  if (!checkpoints.ok()) return RemoteError(checkpoints.status());
  std::vector<JsonObject> list;
  for (const v1::CheckpointInfo& checkpoint : *checkpoints) {
    context.output.Line(CheckpointLine(checkpoint));
    list.push_back(CheckpointJson(checkpoint));
  }
  context.output.Result(JsonObject().Add("model", options.name).Add("checkpoints", list));
  return absl::OkStatus();
}

}  // namespace

void AddCheckpointsCommand(CommandSet& commands) {
  auto options = std::make_shared<CheckpointsOptions>();
  CLI::App& command =
      commands.Add({"checkpoints", "List the kept generations of a model, oldest first",
                    "tally checkpoints digits"},
                   [options](Context& context) { return RunCheckpoints(*options, context); });
  command.add_option("model", options->name, "The model")->required();
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
