#include "core/algorithms/pocketnn/delta_rows.h"

#include <algorithm>

#include "core/kernels/elementwise.h"
#include "core/kernels/gradient.h"
#include "core/kernels/packed_gradient.h"
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

SettledRows DeltaRows::Settle32(RowRange range, bool always_wide) {
  const MatrixView<const int32_t> values = rows32(range);
  const uint64_t magnitude_max = kernels::MaxMagnitude(values.elements());
  const bool is_narrow = magnitude_max <= kNarrowMax && !always_wide;
  if (is_narrow) {
    kernels::PackDeltas(values, range.first, rows16_.matrix().SomeRows(range.first, range.count),
                        packed_);
  } else {
    const MatrixView<int64_t> wide = rows64(range);
    for (size_t r = 0; r < range.count; ++r) std::copy_n(values.Row(r), columns_, wide.Row(r));
  }
  return {is_narrow, magnitude_max};
}

SettledRows DeltaRows::Settle64(RowRange range, bool always_wide) {
  const MatrixView<const int64_t> values = rows64(range);
  const uint64_t magnitude_max = kernels::MaxMagnitude(values.elements());
  const bool is_narrow = magnitude_max <= kNarrowMax && !always_wide;
  if (is_narrow)
    kernels::PackDeltas(values, range.first, rows16_.matrix().SomeRows(range.first, range.count),
                        packed_);
  return {is_narrow, magnitude_max};
}

ConstRows DeltaRows::rows(RowRange range, const SettledRows& settled) const {
  return settled.is_narrow ? ConstRows{rows16_.matrix().SomeRows(range.first, range.count), {}}
                           : ConstRows{{}, rows64_.matrix().SomeRows(range.first, range.count)};
}

void DeltaRows::Widen(RowRange range) {
  const MatrixView<const int16_t> narrow = rows16_.matrix().SomeRows(range.first, range.count);
  std::copy_n(narrow.data, narrow.size(), rows64(range).data);
}

void DeltaRows::SumColumns(size_t rows, std::span<int64_t> sums) const {
  if (all_.is_narrow) {
    kernels::ColumnSums(rows16_.matrix().FirstRows(rows), sums);
  } else {
    kernels::ColumnSums(rows64_.matrix().FirstRows(rows), sums);
  }
}

}  // namespace tally::pocketnn
