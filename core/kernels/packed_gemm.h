// Matrix products with packed weights, exact for every shape and value that the bounds allow.
//
// All levels give the same bits (level.h). None allocates; scratch of up to 200 KiB is on the
// stack.

#ifndef TALLY_CORE_KERNELS_PACKED_GEMM_H_
#define TALLY_CORE_KERNELS_PACKED_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/panel_sums.h"
#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// Rows to read, `stride` elements apart: a matrix, or some columns of one.
template <class T>
struct RowsView {
  const T* data = nullptr;
  size_t rows = 0;
  size_t columns = 0;
  size_t stride = 0;

  RowsView() = default;
  RowsView(const T* first, size_t row_count, size_t column_count, size_t row_stride)
      : data(first), rows(row_count), columns(column_count), stride(row_stride) {}
  RowsView(MatrixView<const T> matrix)  // NOLINT: every matrix is one.
      : RowsView(matrix.data, matrix.rows, matrix.columns, matrix.columns) {}

  const T* Row(size_t row) const { return data + row * stride; }
  // Columns [begin, end).
  RowsView Columns(size_t begin, size_t end) const {
    return {data + begin, rows, end - begin, stride};
  }
};

// The longest sum of products of two int8, the lowest values included, that fits int32.
inline constexpr size_t kInt8DepthMax = 131071;

// Bounds on the elements of both factors: |left| <= left_max, |right| <= right_max. A sum of two
// products has to fit int32, so that not both may be 32768.
struct Magnitudes {
  uint32_t left_max;
  uint32_t right_max;
};

// Instead of Magnitudes: the caller has shown in another way that sums of the products' magnitudes
// fit int32, by the largest sum of a row for example.
struct SumsFit {};

// Whether `depth` products of such elements fit int32.
bool SumFitsInt32(size_t depth, Magnitudes magnitudes);

// Told of each block of rows of a result when they are complete and still in the first cache.
using RowsDone = absl::FunctionRef<void(size_t first_row, size_t rows)>;
inline void IgnoreRows(size_t, size_t) {}

// z = x * w.   x [rows, depth]   w [depth, columns]   z [rows, columns or more]
//
// Columns that z has beyond those of w are left alone. int8: depth is at most kInt8DepthMax. int16:
// the sums fit the type of z; int64 always does.
void PackedGemm(RowsView<int8_t> x, const PackedMatrix<int8_t>& w, MatrixView<int32_t> z,
                RowsDone done = IgnoreRows);
void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, Magnitudes magnitudes,
                MatrixView<int32_t> z, RowsDone done = IgnoreRows);
void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, Magnitudes magnitudes,
                MatrixView<int64_t> z, RowsDone done = IgnoreRows);
void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, SumsFit, MatrixView<int32_t> z,
                RowsDone done = IgnoreRows);

// e = d * w^T.   d [rows, columns]   w [depth, columns]   e [rows, depth or more]. Otherwise as
// PackedGemm. Costs a repacking of w, which some 20 rows make up for.
void PackedGemmTransposed(RowsView<int8_t> d, const PackedMatrix<int8_t>& w, MatrixView<int32_t> e,
                          RowsDone done = IgnoreRows);
void PackedGemmTransposed(RowsView<int16_t> d, const PackedMatrix<int16_t>& w,
                          Magnitudes magnitudes, MatrixView<int32_t> e, RowsDone done = IgnoreRows);
void PackedGemmTransposed(RowsView<int16_t> d, const PackedMatrix<int16_t>& w,
                          Magnitudes magnitudes, MatrixView<int64_t> e, RowsDone done = IgnoreRows);
void PackedGemmTransposed(RowsView<int16_t> d, const PackedMatrix<int16_t>& w, SumsFit,
                          MatrixView<int32_t> e, RowsDone done = IgnoreRows);

// sums = x^T * d.   x [rows, depth]   d [rows, columns]   sums [depth, columns]
//
// The gradient of weights over a mini-batch. int8 in int32: rows is at most kInt8DepthMax. int16 in
// int32: the sums fit.
void GradientGemm(RowsView<int8_t> x, RowsView<int8_t> d, PanelSums<int32_t>& sums);
void GradientGemm(RowsView<int8_t> x, RowsView<int8_t> d, PanelSums<int64_t>& sums);
void GradientGemm(RowsView<int16_t> x, RowsView<int16_t> d, Magnitudes magnitudes,
                  PanelSums<int32_t>& sums);
void GradientGemm(RowsView<int16_t> x, RowsView<int16_t> d, Magnitudes magnitudes,
                  PanelSums<int64_t>& sums);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_PACKED_GEMM_H_
