// The safetensors container, integers only. Byte-exact description: FORMAT.md.

#ifndef TALLY_CORE_CHECKPOINT_SAFETENSORS_H_
#define TALLY_CORE_CHECKPOINT_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/learner/learner.h"

namespace tally::safetensors {

inline constexpr uint64_t kHeaderBytesMax = 100'000'000;

using Metadata = std::map<std::string, std::string>;

struct Tensor {
  std::string name;
  StateType type = StateType::kInt8;
  std::vector<uint64_t> shape;
  std::string_view bytes;  // borrowed; little-endian, row-major
};

struct File {
  Metadata metadata;
  std::vector<Tensor> tensors;  // sorted by name
};

// "I8", "U64", ...
std::string_view DtypeName(StateType type);
// 1, 2, 4 or 8.
uint64_t DtypeBytes(StateType type);

// The file. The same metadata and tensors, in any order, give the same bytes. Names are unique and
// not
// "__metadata__", texts are UTF-8, each tensor has as many bytes as its type and shape say.
std::string Write(const Metadata& metadata, std::vector<Tensor> tensors);

// Checks everything FORMAT.md says about the container; the tensors borrow from `bytes`.
// INVALID_ARGUMENT says what was wrong, and for a tensor which one.
absl::StatusOr<File> Read(std::string_view bytes);

}  // namespace tally::safetensors

#endif  // TALLY_CORE_CHECKPOINT_SAFETENSORS_H_
