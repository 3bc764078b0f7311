#include <memory>

#include "client/cli/commands.h"
#include "client/cli/remote.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

absl::Status RunStatus(const RemoteOptions& options, Context& context) {
  auto client = ConnectTo(context, options);
  if (!client.ok()) return client.status();
  const auto server = (*client)->Health();
  if (!server.ok()) return RemoteError(server.status());
  const auto models = (*client)->List();
  if (!models.ok()) return RemoteError(models.status());

  Output& output = context.output;
  output.Line(text::StrCat("tallyd ", server->version, " at ", context.server, ": ",
                           server->live ? "live" : "not live", ", ",
                           server->ready ? "ready" : "not ready"));
  std::vector<JsonObject> list;
  for (const v1::Model& model : *models) {
    output.Line(ModelLine(model));
    list.push_back(ModelJson(model));
  }
  output.Result(JsonObject()
                    .Add("server", context.server)
                    .Add("version", server->version)
                    .Add("live", server->live)
                    .Add("ready", server->ready)
                    .Add("models", list));
  return absl::OkStatus();
}

}  // namespace

void AddStatusCommand(CommandSet& commands) {
  auto options = std::make_shared<RemoteOptions>();
  CLI::App& command =
      commands.Add({"status", "Show whether the daemon is live and ready, and its models",
                    "tally status --server unix:/run/tally/tallyd.sock"},
                   [options](Context& context) { return RunStatus(*options, context); });
  AddRemoteOptions(command, *options);
}

}  // namespace tally::cli
