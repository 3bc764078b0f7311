#include "client/cli/data_options.h"

#include "client/cli/exit_code.h"
#include "client/datasets/channels_last.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {

void AddDataOptions(CLI::App& command, DataOptions& options) {
  command.add_option("--data", options.data,
                     "A folder with files of standard names: IDX, CIFAR-10 or CSV, also .gz, .xz");
  command.add_option("--images", options.images,
                     "A file of samples: IDX (needs --labels), CSV or CIFAR-10");
  command.add_option("--labels", options.labels, "The IDX file of labels for --images");
}

void AddTestDataOptions(CLI::App& command, DataOptions& options) {
  command.add_option("--test-images", options.test_images, "A file of samples to test on");
  command.add_option("--test-labels", options.test_labels,
                     "The IDX file of labels for --test-images");
}

absl::StatusOr<DatasetFiles> FilesOf(const DataOptions& options) {
  DatasetFiles files;
  if (!options.labels.empty() && options.images.empty()) {
    return UsageError("--labels needs --images");
  }
  if (!options.test_labels.empty() && options.test_images.empty()) {
    return UsageError("--test-labels needs --test-images");
  }
  if (options.data.empty() && options.images.empty() && options.test_images.empty()) {
    return UsageError("name the samples with --data DIR, or with --images FILE and --labels FILE");
  }
  if (!options.data.empty()) {
    TALLY_ASSIGN_OR_RETURN(files, FindDataset(options.data));
  }
  if (!options.images.empty()) {
    TALLY_ASSIGN_OR_RETURN(files.train, PartFromFiles(options.images, options.labels));
  }
  if (!options.test_images.empty()) {
    TALLY_ASSIGN_OR_RETURN(files.test, PartFromFiles(options.test_images, options.test_labels));
  }
  return files;
}

absl::StatusOr<Dataset> ReadFor(const ModelSpec& spec, const DatasetPart& part,
                                std::string_view name) {
  ReadOptions options;
  options.csv_type = spec.input.type;
  options.classes = spec.classes;
  TALLY_ASSIGN_OR_RETURN(Dataset dataset, ReadDataset(part, options));
  if (WantsChannelsLast(dataset.shape, spec.input.shape)) MoveChannelsLast(dataset);
  TALLY_RETURN_IF_ERROR(CheckFits(dataset, spec, text::StrCat(name, " ", part.samples.front())));
  return dataset;
}

}  // namespace tally::cli
