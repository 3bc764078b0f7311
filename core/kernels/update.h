// The update of weights from their gradient sums: division by the inverse learning rate, and
// clamping, in one pass.
//
//   w = Clamp(w - q, -limit, limit)
//
// where q is sum / inverse under the rounding the function is named after. All return how many
// weights were cut at +-limit. `inverse` is in [1, 2^31 - 1], `limit` in [1, 32767], every |w| <=
// limit before.

#ifndef TALLY_CORE_KERNELS_UPDATE_H_
#define TALLY_CORE_KERNELS_UPDATE_H_

#include <cstdint>
#include <span>

#include "core/arithmetic/division.h"
#include "core/arithmetic/philox.h"

namespace tally::kernels {

// The divisor, prepared for both widths of sums, and the clamp.
struct UpdateRule {
  UpdateRule(int32_t inverse, int32_t weight_limit)
      : narrow(inverse), wide(inverse), limit(weight_limit) {}
  TruncDivider32 narrow;
  TruncDivider64 wide;
  int32_t limit;
};

// q = DivTrunc(sum, inverse).
uint64_t UpdateTowardZero(const UpdateRule& rule, std::span<const int32_t> sums,
                          std::span<int16_t> weights);
uint64_t UpdateTowardZero(const UpdateRule& rule, std::span<const int64_t> sums,
                          std::span<int16_t> weights);

// residual += sum; q = DivTrunc(residual, inverse); residual -= q * inverse. Afterwards |residual|
// < inverse. The caller has shown that |residual| + |sum| fits the type of `sums`.
uint64_t UpdateWithErrorFeedback(const UpdateRule& rule, std::span<const int32_t> sums,
                                 std::span<int32_t> residuals, std::span<int16_t> weights);
uint64_t UpdateWithErrorFeedback(const UpdateRule& rule, std::span<const int64_t> sums,
                                 std::span<int32_t> residuals, std::span<int16_t> weights);

// |q| is |sum| / inverse rounded up if the remainder exceeds a uniform draw from [0, inverse), else
// down: right on average. Element i uses draw `first_index` + i.
uint64_t UpdateStochastic(const UpdateRule& rule, std::span<const int32_t> sums,
                          UniformDraws& draws, uint64_t first_index, std::span<int16_t> weights);
uint64_t UpdateStochastic(const UpdateRule& rule, std::span<const int64_t> sums,
                          UniformDraws& draws, uint64_t first_index, std::span<int16_t> weights);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_UPDATE_H_
