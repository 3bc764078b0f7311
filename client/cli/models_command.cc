#include <memory>

#include "client/cli/commands.h"
#include "client/cli/remote.h"

namespace tally::cli {
namespace {

absl::Status RunModels(const RemoteOptions& options, Context& context) {
  auto client = ConnectTo(context, options);
  if (!client.ok()) return client.status();
  const auto models = (*client)->List();
  if (!models.ok()) return RemoteError(models.status());
  std::vector<JsonObject> list;
  for (const v1::Model& model : *models) {
    context.output.Line(ModelLine(model));
    list.push_back(ModelJson(model));
  }
  context.output.Result(JsonObject().Add("models", list));
  return absl::OkStatus();
}

}  // namespace

void AddModelsCommand(CommandSet& commands) {
  auto options = std::make_shared<RemoteOptions>();
  CLI::App& command =
      commands.Add({"models", "List the daemon's models", "tally models --json"},
                   [options](Context& context) { return RunModels(*options, context); });
  AddRemoteOptions(command, *options);
}

}  // namespace tally::cli
