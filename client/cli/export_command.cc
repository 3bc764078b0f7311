#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/atomic_file.h"
#include "client/cli/commands.h"
#include "client/cli/model_wait.h"
#include "client/cli/remote.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct ExportOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string name;
  std::optional<uint64_t> position;
  std::string out;
};

absl::Status RunExport(const ExportOptions& options, Context& context) {
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  TALLY_RETURN_IF_ERROR(WaitForModel(**client, options.name, options.wait, context).status());
  std::ostringstream file;
  const auto checkpoint = (*client)->Export(options.name, options.position, file);
  if (!checkpoint.ok()) return RemoteError(checkpoint.status());
  TALLY_RETURN_IF_ERROR(WriteFileAtomically(options.out, file.view()));
  context.output.Line(text::StrCat("saved ", options.out, ": ", CheckpointLine(*checkpoint)));
  context.output.Result(JsonObject()
                            .Add("model", options.name)
                            .Add("file", options.out)
                            .Add("checkpoint", CheckpointJson(*checkpoint))
                            .Add("digest", checkpoint->state_digest()));
  return absl::OkStatus();
}

}  // namespace

void AddExportCommand(CommandSet& commands) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App& command =
      commands.Add({"export", "Save a model as a checkpoint file (safetensors)",
                    "tally export digits --out digits.safetensors"},
                   [options](Context& context) { return RunExport(*options, context); });
  command.add_option("model", options->name, "The model")->required();
  command.add_option("--out", options->out, "The file; replaced if it exists")->required();
  command.add_option("--position", options->position,
                     "A kept generation (default: checkpoint now and export that)");
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
