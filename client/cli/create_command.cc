#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/fit_input.h"
#include "client/cli/remote.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct CreateOptions {
  RemoteOptions remote;
  std::string name;
  std::string zoo;
  std::string spec;
};

absl::StatusOr<v1::ModelSpec> ReadSpecFile(const std::string& path) {
  TALLY_ASSIGN_OR_RETURN(const std::string yaml, ReadWholeFile(path));
  const absl::StatusOr<ModelSpec> spec = ModelSpecFromYaml(yaml, path);
  if (!spec.ok()) return WithExitCode(spec.status(), ExitCode::kConfig);
  return SpecToMessage(*spec);
}

absl::Status RunCreate(const CreateOptions& options, Context& context) {
  if (options.zoo.empty() == options.spec.empty()) {
    return UsageError("say what to create with either --zoo NAME or --spec FILE");
  }
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Model> model;
  if (options.spec.empty()) {
    model = (*client)->CreateFromZoo(options.name, options.zoo);
  } else {
    TALLY_ASSIGN_OR_RETURN(const v1::ModelSpec spec, ReadSpecFile(options.spec));
    model = (*client)->Create(options.name, spec);
  }
  if (!model.ok()) return RemoteError(model.status());
  context.output.Line(text::StrCat("created ", ModelLine(*model)));
  context.output.Result(JsonObject().Add("model", ModelJson(*model)));
  return absl::OkStatus();
}

}  // namespace

void AddCreateCommand(CommandSet& commands) {
  auto options = std::make_shared<CreateOptions>();
  CLI::App& command = commands.Add(
      {"create", "Create an untrained model",
       "tally create digits --zoo pocketnn/mnist-mlp\n  tally create door --spec door.yaml"},
      [options](Context& context) { return RunCreate(*options, context); });
  command.add_option("name", options->name, "The model's name: [a-z0-9][a-z0-9._-]*")->required();
  command.add_option("--zoo", options->zoo, "A network of the zoo (`tally zoo` lists them)");
  command.add_option("--spec", options->spec, "A spec in YAML");
  AddRemoteOptions(command, options->remote);
}

}  // namespace tally::cli
