// The binary version of CIFAR-10: records of one label byte and 3,072 pixels, 1,024 a colour plane.

#ifndef TALLY_CLIENT_DATASETS_CIFAR10_H_
#define TALLY_CLIENT_DATASETS_CIFAR10_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"

namespace tally {

// The records of all files, in their order; rows of shape [3,32,32]. Files may be gzip or xz; any
// number of records a file. Labels are below `classes`. INVALID_ARGUMENT or DATA_LOSS names file,
// byte, value and what was expected.
absl::StatusOr<Dataset> ReadCifar10(const std::vector<std::string>& paths, uint32_t classes);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_CIFAR10_H_
