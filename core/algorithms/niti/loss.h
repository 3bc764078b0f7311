// Integer cross-entropy: from int8 logits with a block exponent to the errors of a row.

#ifndef TALLY_CORE_ALGORITHMS_NITI_LOSS_H_
#define TALLY_CORE_ALGORITHMS_NITI_LOSS_H_

#include <cstdint>
#include <span>

#include "core/arithmetic/philox.h"
#include "core/learner/model_spec.h"
#include "core/tensor/matrix_view.h"

namespace tally::niti {

// Probabilities are in units of 1 / 2048; errors in int8 are 16 times coarser.
inline constexpr int32_t kProbabilityOne = 2048;
inline constexpr int32_t kErrorShift = 4;
inline constexpr int32_t kErrorExponent = -7;  // 16 / 2048

// g = softmax(o * 2^exponent) - wanted, in units of 1 / 2048, row sum exactly 0.
//
// kOctaves, with t = o * 2^exponent * log2(e), truncated to integers:
//
//   exponent > -7    u = 2^max(t - max t + 10, 0) - 1: ten octaves below the largest
//   exponent <= -7   u = 1 + x + x^2 / 2, x = o * 2^exponent, scaled by 2^(1 - 2 exponent)
//
// kFine, with t = o * 2^exponent * log2(e) in units of 1 / 256, rounded to nearest, halves away
// from zero, and P(f) = 2^(30 - f / 256), f in [0, 256), as PowerTable makes it:
//
//   d = max t - t;   u = P(d mod 256) / 2^(d div 256), truncated; 0 beyond 30 octaves
//
// Both:
//
//   g = DivTrunc(u * 2048, sum u);   then g[label] -= sum g
//
// Exponents above 4 and below -25 (-22 with more than 2,047 classes) are taken for these; by kFine,
// which has nothing left of logits below -24 anyway, only those above 4. Returns
// the loss of the row: the probability that the true class lacks, -g[label], in [0, 2048].
//
// o, g  one element a class, 2 to 65,536 of them.
// Source: Wang et al., "NITI", arXiv:2009.13108, and its first published code.
int64_t CrossEntropyGradient(NitiSoftmax softmax, std::span<const int8_t> o, int32_t exponent,
                             uint32_t label, std::span<int32_t> g);

// e = g / 16 in int8, rounded as asked and cut to +-127. `draws` is used by kStochastic alone, with
// the index `first_index` + i for element i.
void RoundErrors(std::span<const int32_t> g, LossRounding rounding, UniformDraws& draws,
                 uint64_t first_index, std::span<int8_t> e);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_LOSS_H_
