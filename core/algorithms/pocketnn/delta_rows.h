// Errors and deltas of a mini-batch, in the widths that what follows wants.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_DELTA_ROWS_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_DELTA_ROWS_H_

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/algorithms/pocketnn/network.h"
#include "core/kernels/packed_matrix.h"
#include "core/tensor/tensor.h"

namespace tally::pocketnn {

// What some rows turned out to be.
struct SettledRows {
  bool is_narrow = true;  // in 16 bits, else in 64
  uint64_t magnitude_max = 0;

  void Join(const SettledRows& other) {
    is_narrow = is_narrow && other.is_narrow;
    magnitude_max = std::max(magnitude_max, other.magnitude_max);
  }
};

// First the numbers are put into the 32-bit or the 64-bit rows. Settling them finds their largest
// magnitude and, where all fit 16 bits, gives them in 16: by rows, and packed for gradients. That
// may be done range by range, by different threads; ranges begin at even rows.
class DeltaRows {
 public:
  DeltaRows(size_t rows_max, size_t columns);
  static uint64_t Bytes(uint64_t rows_max, uint64_t columns);

  // [rows, padded columns]; whatever is written to the surplus must be zero.
  MatrixView<int32_t> rows32(RowRange range) {
    return rows32_.matrix().SomeRows(range.first, range.count);
  }
  MatrixView<int64_t> rows64(RowRange range) {
    return rows64_.matrix().SomeRows(range.first, range.count);
  }

  // After one of them was filled. `always_wide`: 16 bits are not taken.
  SettledRows Settle32(RowRange range, bool always_wide);
  SettledRows Settle64(RowRange range, bool always_wide);
  // Rows of a range that was settled like this.
  ConstRows rows(RowRange range, const SettledRows& settled) const;

  // Makes rows that are in 16 bits be in 64 too.
  void Widen(RowRange range);
  // Says what all rows are together; where they are not narrow, all are in 64 bits.
  void SetAll(const SettledRows& all) { all_ = all; }

  // Of all rows:
  bool is_narrow() const { return all_.is_narrow; }
  uint64_t magnitude_max() const { return all_.magnitude_max; }
  // By pairs of rows; only if narrow.
  const kernels::PackedMatrix<int16_t>& packed() const { return packed_; }
  // The first rows in 64 bits: not narrow, or widened.
  MatrixView<const int64_t> wide_rows(size_t rows) const {
    return rows64_.matrix().FirstRows(rows);
  }
  // sums[j] = sum over the rows of column j.
  void SumColumns(size_t rows, std::span<int64_t> sums) const;

 private:
  size_t columns_;
  Tensor<int32_t> rows32_;
  Tensor<int64_t> rows64_;
  Tensor<int16_t> rows16_;
  kernels::PackedMatrix<int16_t> packed_;
  SettledRows all_;
};

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_DELTA_ROWS_H_
