#include <algorithm>
#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "client/cli/commands.h"
#include "client/cli/data_options.h"
#include "client/cli/model_wait.h"
#include "client/cli/progress.h"
#include "client/cli/remote.h"
#include "client/cli/remote_training.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct EvaluateOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string model;
  DataOptions data;
};

// The test half if there is one; --images names test samples here.
absl::StatusOr<Dataset> LoadTestData(const DataOptions& options, const ModelSpec& spec) {
  TALLY_ASSIGN_OR_RETURN(const DatasetFiles files, FilesOf(options));
  if (!options.images.empty()) return ReadFor(spec, *files.train, "test data");
  if (!files.test.has_value()) {
    return absl::NotFoundError(
        text::StrCat(options.data, ": no test files there; name them with --images and --labels"));
  }
  return ReadFor(spec, *files.test, "test data");
}

PacketSource PacketsOf(const Dataset& dataset) {
  const uint32_t rows = DefaultBatchRows(dataset.row_bytes());
  return [&dataset, rows, begin = uint32_t{0}](LabelledRows& packet) mutable {
    if (begin == dataset.count()) return false;
    const uint32_t end = begin + std::min(rows, dataset.count() - begin);
    const auto* bytes = reinterpret_cast<const char*>(dataset.rows.data());
    packet.rows.assign(bytes + begin * dataset.row_bytes(), bytes + end * dataset.row_bytes());
    packet.labels.assign(dataset.labels.data() + begin, dataset.labels.data() + end);
    begin = end;
    return true;
  };
}

// The digest of the snapshot. It may not be known for one taken between two digest points; then it
// is that of the model, if the model has not learnt meanwhile, else empty.
std::string DigestOf(const Client& client, const std::string& model,
                     const v1::EvaluateResponse& response) {
  if (!response.state_digest().empty()) return response.state_digest();
  const auto digest = client.Digest(model);
  if (!digest.ok() || std::to_string(digest->position()) != response.model_version()) return "";
  return digest->state_digest();
}

absl::Status RunEvaluate(const EvaluateOptions& options, Context& context) {
  TALLY_ASSIGN_OR_RETURN(const auto client, ConnectTo(context, options.remote));
  TALLY_ASSIGN_OR_RETURN(const v1::Model model,
                         WaitForModel(*client, options.model, options.wait, context));
  TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, SpecFromMessage(model.spec()));
  TALLY_ASSIGN_OR_RETURN(const Dataset dataset, LoadTestData(options.data, spec));

  const uint64_t started_ms = SteadyMilliseconds();
  // What is trained now is part of the snapshot, even if it was not published yet.
  const auto result = client->Evaluate(options.model, model.trained_position(), PacketsOf(dataset));
  if (!result.ok()) return RemoteError(result.status());
  const uint64_t elapsed_ms = std::max<uint64_t>(SteadyMilliseconds() - started_ms, 1);
  const uint64_t speed = result->total() * 1000 / elapsed_ms;
  const std::string digest = DigestOf(*client, options.model, *result);
  context.output.Line(text::StrCat(PercentText(result->correct(), result->total()), " (",
                                   result->correct(), " of ", result->total(), "), ", speed,
                                   " samples/s, version ", result->model_version(), ", digest ",
                                   digest.empty() ? "not known while it learns" : digest));
  context.output.Result(JsonObject()
                            .Add("model", options.model)
                            .Add("test_correct", result->correct())
                            .Add("test_total", result->total())
                            .Add("loss", result->loss())
                            .Add("model_version", result->model_version())
                            .Add("digest", digest)
                            .Add("samples_per_second", speed));
  return absl::OkStatus();
}

}  // namespace

void AddEvaluateCommand(CommandSet& commands) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App& command =
      commands.Add({"evaluate", "Measure a model of the daemon on a test set; nothing is learnt",
                    "tally evaluate digits --data mnist --json"},
                   [options](Context& context) { return RunEvaluate(*options, context); });
  command.add_option("model", options->model, "The model")->required();
  AddDataOptions(command, options->data);
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
