#include <cerrno>
#include <fstream>
#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "absl/status/status.h"
#include "client/cli/commands.h"
#include "client/cli/remote.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct ImportOptions {
  RemoteOptions remote;
  std::string file;
  std::string name;
};

absl::Status RunImport(const ImportOptions& options, Context& context) {
  std::ifstream file(options.file, std::ios::binary);
  if (!file) return absl::ErrnoToStatus(errno, options.file);
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  const auto model = (*client)->Import(options.name, file);
  if (!model.ok()) return RemoteError(model.status());
  context.output.Line(text::StrCat("imported ", ModelLine(*model)));
  context.output.Result(JsonObject()
                            .Add("model", ModelJson(*model))
                            .Add("digest", model->digest_point().state_digest()));
  return absl::OkStatus();
}

}  // namespace

void AddImportCommand(CommandSet& commands) {
  auto options = std::make_shared<ImportOptions>();
  CLI::App& command = commands.Add(
      {"import", "Make a model of a checkpoint file from `tally export` or `tally fit`",
       "tally import digits.safetensors --name digits2"},
      [options](Context& context) { return RunImport(*options, context); });
  command.add_option("file", options->file, "The checkpoint file")->required();
  command.add_option("--name", options->name, "The model's name (default: the one in the file)");
  AddRemoteOptions(command, options->remote);
}

}  // namespace tally::cli
