// 16-bit weights: 256 times finer than what is computed with, and within the same limits.

#ifndef TALLY_CORE_ALGORITHMS_NITI_FINE_WEIGHTS_H_
#define TALLY_CORE_ALGORITHMS_NITI_FINE_WEIGHTS_H_

#include <cstdint>

#include "core/arithmetic/rounding.h"
#include "core/kernels/requantise.h"

namespace tally::niti {

inline constexpr int32_t kFineWeightBits = 8;
inline constexpr int32_t kFineWeightMax = kernels::kMantissaMax * (1 << kFineWeightBits);

// Of |fine| <= kFineWeightMax, so that the outcome is within +-127. Compilers make vectors of it.
constexpr int8_t CoarseWeight(int16_t fine) {
  return static_cast<int8_t>(ShiftPseudoStochastic(int32_t{fine}, kFineWeightBits));
}

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_FINE_WEIGHTS_H_
