#include "core/kernels/packed_product.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/kernels/element_table.h"
#include "core/kernels/packed_gemm.h"
#include "core/kernels/row_table.h"

namespace tally::kernels {
namespace {

constexpr size_t kPanel = PackedMatrix<int16_t>::kPanelColumns;
constexpr size_t kTermsMax = 256;

// Lines whose weights fit the first cache, so that all rows of a mini-batch meet them there.
size_t LinesPerBlock(size_t panels) {
  constexpr size_t kCacheBytes = 24 * 1024;
  constexpr size_t kLineBytes = 64;
  return std::clamp<size_t>(kCacheBytes / (panels * kLineBytes), 16, kTermsMax);
}

// Lists the pairs of a row that belong to the lines [first, last). An odd last input is a pair with
// nothing.
size_t ListRow(const RowTable& table, const int16_t* row, size_t inputs, size_t first, size_t last,
               PairTerm* terms) {
  const size_t whole = std::min(last, inputs / 2);
  size_t count = 0;
  if (whole > first) {
    count = table.list_pairs(row + 2 * first, whole - first, static_cast<uint32_t>(first), terms);
  }
  if (whole < last && row[inputs - 1] != 0) {
    terms[count++] = {static_cast<uint32_t>(whole), static_cast<uint16_t>(row[inputs - 1])};
  }
  return count;
}

template <class T>
void WideProduct(MatrixView<const T> x, const PackedMatrix<int16_t>& w, MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.rows() && z.rows == x.rows && z.columns == w.columns());
  std::fill_n(z.data, z.size(), 0);
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t k = 0; k < x.columns; ++k) {
      const int64_t scale = x.Row(r)[k];
      for (size_t p = 0; scale != 0 && p < w.panels(); ++p) {
        const int16_t* line = w.Line(p, k / 2) + k % 2;
        int64_t* sums = z.Row(r) + p * kPanel;
        const size_t count = std::min(kPanel, z.columns - p * kPanel);
        for (size_t j = 0; j < count; ++j) sums[j] += scale * line[2 * j];
      }
    }
  }
}

// Both rows of a line times a row of x, in sums of type S.
template <class S>
struct PairSums {
  S even = 0;
  S odd = 0;
};

template <class S, class T>
PairSums<S> DotLine(const T* x, const PackedMatrix<int16_t>& w, size_t line) {
  PairSums<S> sums;
  for (size_t p = 0; p < w.panels(); ++p) {
    const int16_t* weights = w.Line(p, line);
    const T* part = x + p * kPanel;
    const size_t count = std::min(kPanel, w.columns() - p * kPanel);
    for (size_t j = 0; j < count; ++j) {
      sums.even += S{part[j]} * weights[2 * j];
      sums.odd += S{part[j]} * weights[2 * j + 1];
    }
  }
  return sums;
}

template <class S, class T>
void TransposedProduct(MatrixView<const T> x, const PackedMatrix<int16_t>& w, MatrixView<S> z) {
  TALLY_CHECK(x.columns == w.columns() && z.rows == x.rows && z.columns == w.rows());
  for (size_t line = 0; line < w.lines(); ++line) {
    for (size_t r = 0; r < x.rows; ++r) {
      const PairSums<S> sums = DotLine<S>(x.Row(r), w, line);
      z.Row(r)[2 * line] = sums.even;
      if (2 * line + 1 < w.rows()) z.Row(r)[2 * line + 1] = sums.odd;
    }
  }
}

}  // namespace

uint64_t RowSumMax(MatrixView<const int16_t> x) {
  uint64_t largest = 0;
  for (size_t r = 0; r < x.rows; ++r) {
    uint64_t sum = 0;
    constexpr size_t kBlock = 65536;
    for (size_t first = 0; first < x.columns; first += kBlock) {
      sum += Elements().sum_magnitudes(x.Row(r) + first, std::min(kBlock, x.columns - first));
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

void Multiply(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w, MatrixView<int32_t> z) {
  TALLY_CHECK(x.columns == w.rows() && z.rows == x.rows && z.columns == w.panels() * kPanel);
  const RowTable& table = Rows();
  const size_t block = LinesPerBlock(w.panels());
  const PanelLines<const int16_t> lines = {w.Line(0, 0), w.panel_stride(), w.panels()};
  PairTerm terms[kTermsMax + 1];
  std::fill_n(z.data, z.size(), 0);
  for (size_t first = 0; first < w.lines(); first += block) {
    const size_t last = std::min(w.lines(), first + block);
    for (size_t r = 0; r < x.rows; ++r) {
      const size_t count = ListRow(table, x.Row(r), x.columns, first, last, terms);
      if (count != 0) table.add_pairs(terms, count, lines, z.Row(r));
    }
  }
}

void MultiplyInRuns(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                    uint32_t w_magnitude, MatrixView<int32_t> scratch, MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.rows() && scratch.rows == x.rows && z.rows == x.rows);
  TALLY_CHECK(scratch.columns == w.panels() * kPanel && z.columns == w.columns());
  const RowTable& table = Rows();
  const uint64_t x_magnitude = Elements().max_magnitude16(x.data, x.size());
  // 32768 * 32767 twice is below 2^31: a line always fits.
  const uint64_t line_max = std::max<uint64_t>(2 * x_magnitude * w_magnitude, 1);
  const size_t run = static_cast<size_t>(std::min<uint64_t>(INT32_MAX / line_max, kTermsMax));
  const PanelLines<const int16_t> lines = {w.Line(0, 0), w.panel_stride(), w.panels()};
  PairTerm terms[kTermsMax + 1];
  std::fill_n(z.data, z.size(), 0);
  for (size_t first = 0; first < w.lines(); first += run) {
    const size_t last = std::min(w.lines(), first + run);
    for (size_t r = 0; r < x.rows; ++r) {
      const size_t count = ListRow(table, x.Row(r), x.columns, first, last, terms);
      if (count == 0) continue;
      std::fill_n(scratch.Row(r), scratch.columns, 0);
      table.add_pairs(terms, count, lines, scratch.Row(r));
      for (size_t j = 0; j < z.columns; ++j) z.Row(r)[j] += scratch.Row(r)[j];
    }
  }
}

void MultiplyTransposed(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                        MatrixView<int32_t> z) {
  PackedGemmTransposed(x, w, SumsFit{}, z);
}

void WideMultiply(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                  MatrixView<int64_t> z) {
  WideProduct(x, w, z);
}
void WideMultiply(MatrixView<const int64_t> x, const PackedMatrix<int16_t>& w,
                  MatrixView<int64_t> z) {
  WideProduct(x, w, z);
}
void WideMultiplyTransposed(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                            MatrixView<int64_t> z) {
  TransposedProduct(x, w, z);
}
void WideMultiplyTransposed(MatrixView<const int64_t> x, const PackedMatrix<int16_t>& w,
                            MatrixView<int64_t> z) {
  TransposedProduct(x, w, z);
}

}  // namespace tally::kernels
