// Sums of products to int8: division by a power of two with a defined rounding, and clamping. What
// block exponents are made of.

#ifndef TALLY_CORE_KERNELS_REQUANTISE_H_
#define TALLY_CORE_KERNELS_REQUANTISE_H_

#include <cstdint>
#include <span>

#include "core/kernels/packed_matrix.h"
#include "core/kernels/panel_sums.h"

namespace tally::kernels {

// The primitives of core/arithmetic/rounding.h that these are named after define them.
enum class Rounding : uint8_t { kTowardZero, kHalfAwayFromZero, kPseudoStochastic };

inline constexpr int32_t kMantissaMax = 127;  // -128 is not used

struct Requantisation {
  int32_t shift = 0;  // in [0, 31]; 0 only clamps
  Rounding rounding = Rounding::kTowardZero;
  bool relu = false;  // below 0 becomes 0
};

// out = Clamp(Round(sums / 2^shift), -127, 127), element by element. No sum is the lowest int32.
void Requantise(std::span<const int32_t> sums, const Requantisation& how, std::span<int8_t> out);

// The same where the gate is above 0, and 0 elsewhere: errors through a ReLU with those inputs.
void RequantiseGated(std::span<const int32_t> sums, const Requantisation& how,
                     std::span<const int8_t> gates, std::span<int8_t> out);

// w = Clamp(w - g, -127, 127) with g requantised from the sum of each weight; ReLU does not apply.
// Every |w| <= 127 before.
void UpdateWeights(const PanelSums<int32_t>& sums, const Requantisation& how,
                   PackedMatrix<int8_t>& weights);
// For sums beyond int32; the shift is in [0, 62], and no sum is the lowest int64.
void UpdateWeights(const PanelSums<int64_t>& sums, const Requantisation& how,
                   PackedMatrix<int8_t>& weights);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_REQUANTISE_H_
