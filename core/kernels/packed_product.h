// Products of rows with packed weights, exact.
//
// The 32-bit kernels skip pairs of inputs that are zero and run at the active level. They want to
// be told that no sum leaves int32; the 64-bit ones are plain loops for whatever else may come.
// None allocates.

#ifndef TALLY_CORE_KERNELS_PACKED_PRODUCT_H_
#define TALLY_CORE_KERNELS_PACKED_PRODUCT_H_

#include <cstdint>

#include "core/kernels/packed_matrix.h"
#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// The columns that a row of 32-bit sums must have: whole panels, the surplus ends as zero.
template <class T>
constexpr T PaddedColumns(T columns) {
  constexpr T kPanel = PackedMatrix<int16_t>::kPanelColumns;
  return (columns + kPanel - 1) / kPanel * kPanel;
}

// The largest sum of |x| over a row. Times the largest |w| it bounds every sum of a product.
uint64_t RowSumMax(MatrixView<const int16_t> x);

// z = x * w.   x [rows, k]   w [k, columns]   z [rows, PaddedColumns(columns)], 64-byte aligned
void Multiply(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w, MatrixView<int32_t> z);

// The same where sums may leave int32: sums over so few inputs that they cannot, added up in int64.
// `scratch` has the shape of 32-bit sums, z [rows, columns] no surplus; |w| <= w_magnitude.
void MultiplyInRuns(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                    uint32_t w_magnitude, MatrixView<int32_t> scratch, MatrixView<int64_t> z);

// z = x * w^T.   x [rows, columns]   w [k, columns]   z [rows, k or more], what is more is left
// alone
void MultiplyTransposed(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                        MatrixView<int32_t> z);

// The same in int64, rows of z without surplus. The caller has shown that int64 suffices (P7).
void WideMultiply(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                  MatrixView<int64_t> z);
void WideMultiply(MatrixView<const int64_t> x, const PackedMatrix<int16_t>& w,
                  MatrixView<int64_t> z);
void WideMultiplyTransposed(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                            MatrixView<int64_t> z);
void WideMultiplyTransposed(MatrixView<const int64_t> x, const PackedMatrix<int16_t>& w,
                            MatrixView<int64_t> z);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_PACKED_PRODUCT_H_
