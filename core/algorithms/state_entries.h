// What the state walks of the algorithms are made of.

#ifndef TALLY_CORE_ALGORITHMS_STATE_ENTRIES_H_
#define TALLY_CORE_ALGORITHMS_STATE_ENTRIES_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "core/learner/learner.h"
#include "core/tensor/tensor.h"

namespace tally {

static_assert(std::endian::native == std::endian::little,
              "state arrays are visited in place, and their bytes are little-endian");

template <class T>
constexpr StateType StateTypeOf() {
  if constexpr (std::is_same_v<T, int8_t>) {
    return StateType::kInt8;
  } else if constexpr (std::is_same_v<T, int16_t>) {
    return StateType::kInt16;
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return StateType::kInt32;
  } else {
    static_assert(std::is_same_v<T, uint64_t>);
    return StateType::kUint64;
  }
}

// "layer1." for the first, index 0.
std::string LayerPrefix(size_t layer);

// Arrays that a model does not have are empty and not visited. `lent`: the tensor lives during the
// visit only.
template <class T>
void VisitTensor(StateVisitor& visitor, const std::string& name, Tensor<T>& tensor,
                 bool lent = false) {
  if (tensor.empty()) return;
  visitor.Visit({.name = name,
                 .type = StateTypeOf<T>(),
                 .shape = tensor.shape().extents(),
                 .bytes = tensor.bytes(),
                 .lent = lent});
}

template <class T>
void VisitScalar(StateVisitor& visitor, const std::string& name, T& value, bool in_digest = true) {
  visitor.Visit({.name = name,
                 .type = StateTypeOf<T>(),
                 .shape = {},
                 .bytes = std::as_writable_bytes(std::span(&value, 1)),
                 .in_digest = in_digest});
}

// DATA_LOSS naming array, element and value unless |value| <= limit.
absl::Status CheckMagnitude(const std::string& name, size_t index, int32_t value, int32_t limit);

}  // namespace tally

#endif  // TALLY_CORE_ALGORITHMS_STATE_ENTRIES_H_
