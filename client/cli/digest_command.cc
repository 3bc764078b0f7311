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

struct DigestOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string name;
};

absl::Status RunDigest(const DigestOptions& options, Context& context) {
  auto client = ConnectTo(context, options.remote);
  if (!client.ok()) return client.status();
  TALLY_RETURN_IF_ERROR(WaitForModel(**client, options.name, options.wait, context).status());
  const auto digest = (*client)->Digest(options.name);
  if (!digest.ok()) return RemoteError(digest.status());
  context.output.Line(text::StrCat(digest->state_digest(), "  step ", digest->step(), "  position ",
                                   digest->position()));
  context.output.Result(JsonObject()
                            .Add("model", options.name)
                            .Add("digest", digest->state_digest())
                            .Add("step", digest->step())
                            .Add("position", digest->position()));
  return absl::OkStatus();
}

}  // namespace

void AddDigestCommand(CommandSet& commands) {
  auto options = std::make_shared<DigestOptions>();
  CLI::App& command = commands.Add(
      {"digest", "Show the digest of everything a model has trained", "tally digest digits --json"},
      [options](Context& context) { return RunDigest(*options, context); });
  command.add_option("model", options->name, "The model")->required();
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
