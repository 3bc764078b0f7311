// Sums over a mini-batch: what one input contributes to the gradient of its weights, and the
// biases'.

#ifndef TALLY_CORE_KERNELS_GRADIENT_H_
#define TALLY_CORE_KERNELS_GRADIENT_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// sums[j] = sum over r of x[r][input] * d[r][j].   x [rows, inputs]   d [rows, units]
//
// The caller has shown that rows * max|x| * max|d| fits int32. Returns false, and leaves `sums`
// alone, if the input is zero in every row: sparse inputs are what makes small boards fast.
bool GradientRow(MatrixView<const int16_t> x, size_t input, MatrixView<const int16_t> d,
                 std::span<int32_t> sums);

// The same in int64, for mini-batches whose sums may leave int32: int32 sums over `rows_per_run`
// rows (rows_per_run * max|x| * max|d| fits int32), combined in int64. `run_sums` is scratch of
// units.
void GradientRowInRuns(MatrixView<const int16_t> x, size_t input, MatrixView<const int16_t> d,
                       size_t rows_per_run, std::span<int32_t> run_sums, std::span<int64_t> sums);

// The same for operands beyond 16 bits. The caller has shown that no sum leaves int64.
void WideGradientRow(MatrixView<const int16_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums);
void WideGradientRow(MatrixView<const int64_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums);

// sums[j] = sum over r of d[r][j].
void ColumnSums(MatrixView<const int64_t> d, std::span<int64_t> sums);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_GRADIENT_H_
