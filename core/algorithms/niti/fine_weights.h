// 16-bit weights: 256 times finer than what is computed with, and within the same limits.

#ifndef TALLY_CORE_ALGORITHMS_NITI_FINE_WEIGHTS_H_
#define TALLY_CORE_ALGORITHMS_NITI_FINE_WEIGHTS_H_

#include <cstdint>

#include "core/arithmetic/rounding.h"
#include "core/kernels/requantise.h"

namespace tally::niti {

inline constexpr int32_t kFineWeightBits = 8;
inline constexpr int32_t kFineWeightMax = kernels::kMantissaMax * (1 << kFineWeightBits);

constexpr int8_t CoarseWeight(int16_t fine) {
  return SaturateToInt8(Clamp(ShiftPseudoStochastic(int32_t{fine}, kFineWeightBits),
                              -kernels::kMantissaMax, kernels::kMantissaMax));
}

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_FINE_WEIGHTS_H_
