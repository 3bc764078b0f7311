// Ranges of block-exponent tensors: how many bits the largest magnitude needs, and the shift that
// leaves 7 of them.

#ifndef TALLY_CORE_ALGORITHMS_NITI_RANGE_H_
#define TALLY_CORE_ALGORITHMS_NITI_RANGE_H_

#include <algorithm>
#include <cstdint>

#include "core/arithmetic/rounding.h"

namespace tally::niti {

inline constexpr int32_t kMantissaBits = 7;
inline constexpr uint64_t kMantissaLimit = 127;

// ceil(log2(max)), and 0 for 0: what the paper calls the bit width. 127 and 128 both have 7.
constexpr int32_t Range(uint64_t magnitude_max) {
  return magnitude_max == 0 ? 0 : CeilLog2(magnitude_max);
}

// The same of a gradient, except that 1 has 1 bit: the published code takes it for an empty one.
constexpr int32_t GradientRange(uint64_t magnitude_max) {
  return magnitude_max == 1 ? 1 : Range(magnitude_max);
}

// The shift that brings sums to int8; the exponent grows by it.
constexpr int32_t RequantisationShift(uint64_t magnitude_max) {
  return std::max(0, Range(magnitude_max) - kMantissaBits);
}

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_RANGE_H_
