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

struct RollbackOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string name;
  uint64_t position = 0;
};

absl::Status RunRollback(const RollbackOptions& options, Context& context) {
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  TALLY_RETURN_IF_ERROR(WaitForModel(**client, options.name, options.wait, context).status());
  const auto response = (*client)->Rollback(options.name, options.position);
  if (!response.ok()) return RemoteError(response.status());
  const v1::CheckpointInfo& checkpoint = response->checkpoint();
  context.output.Line(text::StrCat(options.name, " is as it was at position ", options.position,
                                   ": step ", checkpoint.step(), ", digest ",
                                   checkpoint.state_digest()));
  context.output.Result(JsonObject()
                            .Add("model", ModelJson(response->model()))
                            .Add("checkpoint", CheckpointJson(checkpoint))
                            .Add("digest", checkpoint.state_digest()));
  return absl::OkStatus();
}

}  // namespace

void AddRollbackCommand(CommandSet& commands) {
  auto options = std::make_shared<RollbackOptions>();
  CLI::App& command = commands.Add(
      {"rollback", "Take a model back to a kept generation; what it learnt since is dropped",
       "tally checkpoints digits\n  tally rollback digits 60000"},
      [options](Context& context) { return RunRollback(*options, context); });
  command.add_option("model", options->name, "The model")->required();
  command.add_option("position", options->position, "The generation's position")->required();
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
