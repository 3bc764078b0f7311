// Errors and deltas of a mini-batch, in the widths that what follows wants.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_DELTA_ROWS_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_DELTA_ROWS_H_

#include <cstdint>
#include <span>

#include "core/algorithms/pocketnn/network.h"
#include "core/kernels/packed_matrix.h"
#include "core/tensor/tensor.h"

namespace tally::pocketnn {

// First the numbers are put into the 32-bit or the 64-bit rows. Settling them finds their largest
// magnitude and, where all fit 16 bits, gives them in 16: by rows, and packed for gradients.
class DeltaRows {
 public:
  DeltaRows(size_t rows_max, size_t columns);
  static uint64_t Bytes(uint64_t rows_max, uint64_t columns);

  // [rows, padded columns]; whatever is written to the surplus must be zero.
  MatrixView<int32_t> rows32(size_t rows) { return rows32_.matrix().FirstRows(rows); }
  MatrixView<int64_t> rows64(size_t rows) { return rows64_.matrix().FirstRows(rows); }

  // After one of them was filled. `always_wide`: 16 bits are not taken.
  void Settle32(size_t rows, bool always_wide);
  void Settle64(size_t rows, bool always_wide);

  // Of what was settled last:
  bool is_narrow() const { return is_narrow_; }
  uint64_t magnitude_max() const { return magnitude_max_; }
  // In 16 bits if narrow, else in 64.
  ConstRows rows(size_t count) const;
  // By pairs of rows; only if narrow.
  const kernels::PackedMatrix<int16_t>& packed() const { return packed_; }
  // In 64 bits, narrow or not.
  MatrixView<const int64_t> Widened(size_t rows);
  // sums[j] = sum over the rows of column j.
  void SumColumns(size_t rows, std::span<int64_t> sums) const;

 private:
  template <class T>
  void TakeNarrow(MatrixView<const T> from);

  size_t columns_;
  Tensor<int32_t> rows32_;
  Tensor<int64_t> rows64_;
  Tensor<int16_t> rows16_;
  kernels::PackedMatrix<int16_t> packed_;
  bool is_narrow_ = false;
  uint64_t magnitude_max_ = 0;
};

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_DELTA_ROWS_H_
