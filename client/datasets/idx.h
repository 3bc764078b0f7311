// IDX, the format of MNIST: big-endian arrays with a header of type and dimensions.
//
//   byte 0, 1   0
//   byte 2      element type: 0x08 uint8, 0x09 int8, 0x0B int16 (big-endian)
//   byte 3      number of dimensions; the first counts the samples
//   then        one uint32, big-endian, a dimension; then the elements, row-major

#ifndef TALLY_CLIENT_DATASETS_IDX_H_
#define TALLY_CLIENT_DATASETS_IDX_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"

namespace tally {

// Samples of 2 to 5 dimensions (the first one counts them) and labels of 1 dimension, uint8 or
// int16, each below `classes`. Files may be gzip or xz. INVALID_ARGUMENT or DATA_LOSS names file,
// byte, value and what was expected.
absl::StatusOr<Dataset> ReadIdx(const std::string& samples_path, const std::string& labels_path,
                                uint32_t classes);

// The samples alone; every label is 0.
absl::StatusOr<Dataset> ReadIdxSamples(const std::string& path);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_IDX_H_
