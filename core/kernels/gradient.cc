#include "core/kernels/gradient.h"

#include <algorithm>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

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

template <class D>
void SumColumns(MatrixView<const D> d, std::span<int64_t> sums) {
  TALLY_CHECK(sums.size() == d.columns);
  std::fill(sums.begin(), sums.end(), 0);
  for (size_t r = 0; r < d.rows; ++r) {
    for (size_t j = 0; j < sums.size(); ++j) {
      sums[j] += d.Row(r)[j];
    }
  }
}

}  // namespace

void WideGradientRow(MatrixView<const int16_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums) {
  WideRow(x, input, d, sums);
}

void WideGradientRow(MatrixView<const int64_t> x, size_t input, MatrixView<const int64_t> d,
                     std::span<int64_t> sums) {
  WideRow(x, input, d, sums);
}

void ColumnSums(MatrixView<const int16_t> d, std::span<int64_t> sums) { SumColumns(d, sums); }
void ColumnSums(MatrixView<const int64_t> d, std::span<int64_t> sums) { SumColumns(d, sums); }

}  // namespace tally::kernels
