// Comma-separated integers, one sample a line, the label last.

#ifndef TALLY_CLIENT_DATASETS_CSV_H_
#define TALLY_CLIENT_DATASETS_CSV_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"

namespace tally {

// Rows of shape [columns - 1]. Every line has as many columns as the first; values lie in the range
// of `type`, labels are below `classes`. Spaces around a value and CR LF are accepted. A first line
// without any integer is a header and skipped. The file may be gzip or xz. INVALID_ARGUMENT or
// DATA_LOSS names file, line, column (from 1), value and what was expected.
absl::StatusOr<Dataset> ReadCsv(const std::string& path, ElementType type, uint32_t classes);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_CSV_H_
