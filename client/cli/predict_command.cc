#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "CLI/Option.hpp"
#include "CLI/Validators.hpp"
#include "client/cli/commands.h"
#include "client/cli/data_options.h"
#include "client/cli/exit_code.h"
#include "client/cli/model_wait.h"
#include "client/cli/remote.h"
#include "client/cli/remote_training.h"
#include "client/datasets/idx.h"
#include "core/learner/learner.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

struct PredictOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string model;
  std::string images;
  uint32_t index = 0;
  uint32_t count = 1;
};

// Files of other formats hold labels too; they are not looked at.
absl::StatusOr<Dataset> LoadSamples(const std::string& path, const ModelSpec& spec) {
  Dataset dataset;
  if (const auto part = PartFromFiles(path, ""); part.ok()) {
    ReadOptions options;
    options.csv_type = spec.input.type;
    TALLY_ASSIGN_OR_RETURN(dataset, ReadDataset(*part, options));
    dataset.labels.assign(dataset.count(), 0);
  } else {
    TALLY_ASSIGN_OR_RETURN(dataset, ReadIdxSamples(path));
  }
  TALLY_RETURN_IF_ERROR(CheckFits(dataset, spec, path));
  return dataset;
}

std::string DatatypeOf(ElementType type) {
  switch (type) {
    case ElementType::kUint8:
      return "UINT8";
    case ElementType::kInt8:
      return "INT8";
    case ElementType::kInt16:
      return "INT16";
  }
  return "";
}

// Rows [begin, begin + rows) of `dataset`; appends to `predictions`.
absl::Status PredictRows(const Client& client, const PredictOptions& options,
                         const Dataset& dataset, uint32_t begin, uint32_t rows, Output& output,
                         std::vector<JsonObject>& predictions) {
  InferQuery query{.model = options.model, .datatype = DatatypeOf(dataset.type), .rows = rows};
  const auto* bytes = reinterpret_cast<const char*>(dataset.rows.data());
  query.bytes.assign(bytes + begin * dataset.row_bytes(),
                     bytes + (begin + rows) * dataset.row_bytes());
  const auto result = client.Infer(query);
  if (!result.ok()) return RemoteError(result.status());
  for (uint32_t i = 0; i < rows; ++i) {
    const auto scores =
        std::span(result->scores).subspan(size_t{i} * result->classes, result->classes);
    const uint32_t predicted = ArgMax(scores);
    const std::string label = i < result->labels.size() ? result->labels[i] : "";
    std::string line = text::StrCat("sample ", begin + i, ": class ", predicted);
    if (!label.empty()) text::StrAppend(&line, " (", label, ")");
    text::StrAppend(&line, ", score ", scores[predicted], ", version ", result->model_version);
    output.Line(line);
    predictions.push_back(JsonObject()
                              .Add("index", begin + i)
                              .Add("class", predicted)
                              .Add("label", label)
                              .Add("score", scores[predicted])
                              .Add("model_version", result->model_version));
  }
  return absl::OkStatus();
}

absl::Status RunPredict(const PredictOptions& options, Context& context) {
  TALLY_ASSIGN_OR_RETURN(const auto client, ConnectTo(context, options.remote));
  TALLY_ASSIGN_OR_RETURN(const v1::Model model,
                         WaitForModel(*client, options.model, options.wait, context));
  TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, SpecFromMessage(model.spec()));
  TALLY_ASSIGN_OR_RETURN(const Dataset dataset, LoadSamples(options.images, spec));
  if (options.index >= dataset.count()) {
    return UsageError(text::StrCat("--index ", options.index, ": ", options.images, " holds ",
                                   dataset.count(), " samples, counted from 0"));
  }
  const uint32_t end = options.index + std::min(options.count, dataset.count() - options.index);
  const uint32_t batch = DefaultBatchRows(dataset.row_bytes());
  std::vector<JsonObject> predictions;
  for (uint32_t begin = options.index; begin < end; begin += batch) {
    TALLY_RETURN_IF_ERROR(PredictRows(*client, options, dataset, begin,
                                      std::min(batch, end - begin), context.output, predictions));
  }
  context.output.Result(JsonObject().Add("model", options.model).Add("predictions", predictions));
  return absl::OkStatus();
}

}  // namespace

void AddPredictCommand(CommandSet& commands) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App& command = commands.Add(
      {"predict", "Ask a model of the daemon for the classes of samples",
       "tally predict digits --images mnist/t10k-images-idx3-ubyte --index 7\n"
       "  tally predict digits --images mnist/t10k-images-idx3-ubyte --count 100 --json"},
      [options](Context& context) { return RunPredict(*options, context); });
  command.add_option("model", options->model, "The model")->required();
  command.add_option("--images", options->images, "A file of samples: IDX, CSV or CIFAR-10")
      ->required();
  command.add_option("--index", options->index, "The first sample, counted from 0 (default: 0)");
  command.add_option("--count", options->count, "How many samples (default: 1)")
      ->check(CLI::Range(1u, UINT32_MAX));
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
