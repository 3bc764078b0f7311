// Labelled samples in memory, in the layout that Learner::TrainStep and the RPCs take.

#ifndef TALLY_CLIENT_DATASETS_DATASET_H_
#define TALLY_CLIENT_DATASETS_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/learner/model_spec.h"

namespace tally {

// What all readers keep: rows and labels of one data set, decompressed.
inline constexpr uint64_t kDatasetBytesMax = uint64_t{2} << 30;

struct Dataset {
  std::vector<uint32_t> shape;  // of one row; the product is InputElements of a fitting spec
  ElementType type = ElementType::kUint8;
  std::vector<std::byte> rows;   // row-major, little-endian, no padding
  std::vector<uint32_t> labels;  // one a row

  uint32_t count() const { return static_cast<uint32_t>(labels.size()); }
  size_t elements() const;  // of one row
  size_t row_bytes() const { return elements() * ElementBytes(type); }
  std::span<const std::byte> row(uint32_t index) const {
    return std::span(rows).subspan(index * row_bytes(), row_bytes());
  }
};

// "uint8 [28,28]".
std::string DescribeRow(const std::vector<uint32_t>& shape, ElementType type);

// OK if a learner of `spec` can take these samples: the same element type, the same number of
// elements a row ([28,28] fits [784]) and labels below `classes`. Otherwise INVALID_ARGUMENT;
// `name` is what the message calls the data.
absl::Status CheckFits(const Dataset& dataset, const ModelSpec& spec, std::string_view name);

// Takes the last `count` samples out of `dataset` into a set of their own. INVALID_ARGUMENT if
// `count` is 0 or would leave none.
absl::StatusOr<Dataset> SplitOffLast(Dataset& dataset, uint32_t count);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_DATASET_H_
