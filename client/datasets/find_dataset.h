// From a folder, or from file names, to the files of a data set; and from those to the data.

#ifndef TALLY_CLIENT_DATASETS_FIND_DATASET_H_
#define TALLY_CLIENT_DATASETS_FIND_DATASET_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"

namespace tally {

enum class DatasetFormat : uint8_t { kIdx, kCifar10, kCsv };

// The files of one half of a data set.
struct DatasetPart {
  DatasetFormat format = DatasetFormat::kIdx;
  std::vector<std::string> samples;  // one path; CIFAR-10: one a batch, in order
  std::string labels;                // IDX only; the others hold their labels themselves
};

// At least one of the two.
struct DatasetFiles {
  std::optional<DatasetPart> train;
  std::optional<DatasetPart> test;
};

// Looks in `directory` for the standard names, the first of these that is there:
//   IDX       {train,t10k,test}-{images,windows}-idx3-{ubyte,short}, also with a dot before "idx",
//   and
//             the labels -labels-idx1-{ubyte,short}
//   CIFAR-10  data_batch_1.bin, data_batch_2.bin, ... and test_batch.bin
//   CSV       train.csv and test.csv, or one *.tra and one *.tes
// each also with .gz or .xz. NOT_FOUND lists what was looked for; INVALID_ARGUMENT for a
// half-complete set (samples without labels, a gap among the batches).
absl::StatusOr<DatasetFiles> FindDataset(const std::string& directory);

// The part made of these files: with `labels` IDX, without them CSV (.csv, .tra, .tes, .data) or
// CIFAR-10
// (.bin) by the name of `samples`. INVALID_ARGUMENT if that says neither.
absl::StatusOr<DatasetPart> PartFromFiles(const std::string& samples, const std::string& labels);

// What the model expects; CSV files do not say their element type themselves.
struct ReadOptions {
  ElementType csv_type = ElementType::kUint8;
  uint32_t classes = 65536;
};

absl::StatusOr<Dataset> ReadDataset(const DatasetPart& part, const ReadOptions& options);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_FIND_DATASET_H_
