#include "core/algorithms/pocketnn/delta_rows.h"

#include <algorithm>

#include "core/kernels/elementwise.h"
#include "core/kernels/gradient.h"
#include "core/kernels/packed_product.h"

namespace tally::pocketnn {
namespace {

constexpr uint64_t kNarrowMax = 32767;

}  // namespace

DeltaRows::DeltaRows(size_t rows_max, size_t columns)
    : columns_(columns),
      rows32_(Shape({rows_max, kernels::PaddedColumns(columns)})),
      rows64_(Shape({rows_max, columns})),
      rows16_(Shape({rows_max, columns})),
      packed_(rows_max, columns) {}

uint64_t DeltaRows::Bytes(uint64_t rows_max, uint64_t columns) {
  return rows_max * (kernels::PaddedColumns(columns) * sizeof(int32_t) +
                     columns * (sizeof(int64_t) + sizeof(int16_t))) +
         kernels::PackedMatrix<int16_t>::Bytes(rows_max, columns);
}

template <class T>
void DeltaRows::TakeNarrow(MatrixView<const T> from) {
  for (size_t r = 0; r < from.rows; ++r) {
    int16_t* plain = rows16_.data() + r * columns_;
    for (size_t j = 0; j < columns_; ++j) plain[j] = static_cast<int16_t>(from.Row(r)[j]);
  }
  packed_.PackRows(rows16_.matrix().FirstRows(from.rows));
}

void DeltaRows::Settle32(size_t rows, bool always_wide) {
  const MatrixView<const int32_t> values = rows32(rows);
  magnitude_max_ = kernels::MaxMagnitude(values.elements());
  is_narrow_ = magnitude_max_ <= kNarrowMax && !always_wide;
  if (is_narrow_) {
    TakeNarrow(values);
    return;
  }
  for (size_t r = 0; r < rows; ++r) {
    std::copy_n(values.Row(r), columns_, rows64(rows).Row(r));
  }
}

void DeltaRows::Settle64(size_t rows, bool always_wide) {
  const MatrixView<const int64_t> values = rows64(rows);
  magnitude_max_ = kernels::MaxMagnitude(values.elements());
  is_narrow_ = magnitude_max_ <= kNarrowMax && !always_wide;
  if (is_narrow_) TakeNarrow(values);
}

ConstRows DeltaRows::rows(size_t count) const {
  return is_narrow_ ? ConstRows{rows16_.matrix().FirstRows(count), {}}
                    : ConstRows{{}, rows64_.matrix().FirstRows(count)};
}

MatrixView<const int64_t> DeltaRows::Widened(size_t rows) {
  const MatrixView<int64_t> wide = rows64(rows);
  if (is_narrow_) std::copy_n(rows16_.data(), wide.size(), wide.data);
  return wide;
}

void DeltaRows::SumColumns(size_t rows, std::span<int64_t> sums) const {
  if (is_narrow_) {
    kernels::ColumnSums(rows16_.matrix().FirstRows(rows), sums);
  } else {
    kernels::ColumnSums(rows64_.matrix().FirstRows(rows), sums);
  }
}

}  // namespace tally::pocketnn
