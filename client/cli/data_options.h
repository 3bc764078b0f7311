// The options that name a data set, the same for every command that takes one.

#ifndef TALLY_CLIENT_CLI_DATA_OPTIONS_H_
#define TALLY_CLIENT_CLI_DATA_OPTIONS_H_

#include <optional>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"
#include "client/datasets/find_dataset.h"
#include "core/learner/model_spec.h"

namespace tally::cli {

struct DataOptions {
  std::string data;    // --data: a folder
  std::string images;  // --images and --labels: files
  std::string labels;
  std::string test_images;
  std::string test_labels;
};

// --data, --images, --labels.
void AddDataOptions(CLI::App& command, DataOptions& options);
// --test-images, --test-labels.
void AddTestDataOptions(CLI::App& command, DataOptions& options);

// The files that the options name; --data is looked through, --images and --test-images go before
// what it holds. A usage error if they name nothing.
absl::StatusOr<DatasetFiles> FilesOf(const DataOptions& options);

// One half, checked against the model it is for; channels are moved last if it wants them there.
// `name` is for messages.
absl::StatusOr<Dataset> ReadFor(const ModelSpec& spec, const DatasetPart& part,
                                std::string_view name);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_DATA_OPTIONS_H_
