// Sums over a mini-batch in int64: what one input contributes to the gradient of its weights, and
// the biases'. packed_gradient.h has the fast way for what fits int32.

#ifndef TALLY_CORE_KERNELS_GRADIENT_H_
#define TALLY_CORE_KERNELS_GRADIENT_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// sums[j] = sum over r of x[r][input] * d[r][j].   x [rows, inputs]   d [rows, units]
// The caller has shown that no sum leaves int64.
void WideGradientRow(MatrixView<const int16_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums);
void WideGradientRow(MatrixView<const int64_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums);

// sums[j] = sum over r of d[r][j].
void ColumnSums(MatrixView<const int16_t> d, std::span<int64_t> sums);
void ColumnSums(MatrixView<const int64_t> d, std::span<int64_t> sums);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_GRADIENT_H_
