// Data sets into IDX files.

#ifndef TALLY_CLIENT_DATASETS_IDX_WRITER_H_
#define TALLY_CLIENT_DATASETS_IDX_WRITER_H_

#include <string>

#include "absl/status/status.h"
#include "client/datasets/dataset.h"

namespace tally {

// Writes `dataset` (uint8, labels below 256) as two plain IDX files, replacing what is there. An
// error of the system may leave an incomplete file behind.
absl::Status WriteIdx(const Dataset& dataset, const std::string& samples_path,
                      const std::string& labels_path);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_IDX_WRITER_H_
