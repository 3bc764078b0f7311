#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/remote.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct DeleteOptions {
  RemoteOptions remote;
  std::string name;
};

absl::Status RunDelete(const DeleteOptions& options, Context& context) {
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  if (absl::Status status = (*client)->Delete(options.name); !status.ok()) {
    return RemoteError(status);
  }
  context.output.Line(text::StrCat("deleted ", options.name));
  context.output.Result(JsonObject().Add("deleted", options.name));
  return absl::OkStatus();
}

}  // namespace

void AddDeleteCommand(CommandSet& commands) {
  auto options = std::make_shared<DeleteOptions>();
  CLI::App& command = commands.Add(
      {"delete", "Remove a model and everything the daemon kept of it", "tally delete digits"},
      [options](Context& context) { return RunDelete(*options, context); });
  command.add_option("model", options->name, "The model")->required();
  AddRemoteOptions(command, options->remote);
}

}  // namespace tally::cli
