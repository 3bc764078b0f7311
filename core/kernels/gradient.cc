#include "core/kernels/gradient.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/kernels/scaled_rows.h"

namespace tally::kernels {
namespace {

// Rows listed at a time; the list lives on the stack.
constexpr size_t kBlockRows = 256;

size_t ListNonZero(MatrixView<const int16_t> x, size_t input, MatrixView<const int16_t> d,
                   ScaledRow* terms) {
  size_t listed = 0;
  for (size_t r = 0; r < x.rows; ++r) {
    const int16_t scale = x.Row(r)[input];
    terms[listed] = {d.Row(r), scale};
    listed += scale != 0 ? 1 : 0;
  }
  return listed;
}

MatrixView<const int16_t> Slice(MatrixView<const int16_t> view, size_t first, size_t count) {
  return {view.Row(first), std::min(count, view.rows - first), view.columns};
}

template <class X>
void WideRow(MatrixView<const X> x, size_t input, MatrixView<const int64_t> d,
             std::span<int64_t> sums) {
  TALLY_CHECK(x.rows == d.rows && sums.size() == d.columns);
  std::fill(sums.begin(), sums.end(), 0);
  for (size_t r = 0; r < x.rows; ++r) {
    const int64_t scale = x.Row(r)[input];
    const int64_t* row = d.Row(r);
    for (size_t j = 0; j < sums.size(); ++j) {
      sums[j] += scale * row[j];
    }
  }
}

}  // namespace

bool GradientRow(MatrixView<const int16_t> x, size_t input, MatrixView<const int16_t> d,
                 std::span<int32_t> sums) {
  TALLY_CHECK(x.rows == d.rows && sums.size() == d.columns);
  ScaledRow terms[kBlockRows + 1];
  bool any = false;
  for (size_t first = 0; first < x.rows; first += kBlockRows) {
    const size_t count =
        ListNonZero(Slice(x, first, kBlockRows), input, Slice(d, first, kBlockRows), terms);
    if (count == 0) {
      continue;
    }
    if (!any) {
      std::fill(sums.begin(), sums.end(), 0);
      any = true;
    }
    AddScaledRows(terms, count, sums.size(), sums.data());
  }
  return any;
}

void GradientRowInRuns(MatrixView<const int16_t> x, size_t input, MatrixView<const int16_t> d,
                       size_t rows_per_run, std::span<int32_t> run_sums, std::span<int64_t> sums) {
  TALLY_CHECK(rows_per_run > 0 && sums.size() == d.columns);
  std::fill(sums.begin(), sums.end(), 0);
  for (size_t first = 0; first < x.rows; first += rows_per_run) {
    if (GradientRow(Slice(x, first, rows_per_run), input, Slice(d, first, rows_per_run),
                    run_sums)) {
      for (size_t j = 0; j < sums.size(); ++j) {
        sums[j] += run_sums[j];
      }
    }
  }
}

void WideGradientRow(MatrixView<const int16_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums) {
  WideRow(x, input, d, sums);
}

void WideGradientRow(MatrixView<const int64_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums) {
  WideRow(x, input, d, sums);
}

void ColumnSums(MatrixView<const int64_t> d, std::span<int64_t> sums) {
  TALLY_CHECK(sums.size() == d.columns);
  std::fill(sums.begin(), sums.end(), 0);
  for (size_t r = 0; r < d.rows; ++r) {
    for (size_t j = 0; j < d.columns; ++j) {
      sums[j] += d.Row(r)[j];
    }
  }
}

}  // namespace tally::kernels
