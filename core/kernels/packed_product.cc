#include "core/kernels/packed_product.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/kernels/element_table.h"
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
      for (size_t j = 0; scale != 0 && j < z.columns; ++j) {
        z.Row(r)[j] += scale * w.At(k, j);
      }
    }
  }
}

template <class T>
void WideTransposedProduct(MatrixView<const T> x, const PackedMatrix<int16_t>& w,
                           MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.columns() && z.rows == x.rows && z.columns == w.rows());
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t k = 0; k < w.rows(); ++k) {
      int64_t sum = 0;
      for (size_t j = 0; j < x.columns; ++j) {
        sum += int64_t{x.Row(r)[j]} * w.At(k, j);
      }
      z.Row(r)[k] = sum;
    }
  }
}

// Both rows of a line times a row of up to 16 elements.
struct PairSums {
  int32_t even = 0;
  int32_t odd = 0;
};

PairSums DotLine(const int16_t* x, size_t count, const int16_t* line) {
  PairSums sums;
  for (size_t j = 0; j < count; ++j) {
    sums.even += x[j] * line[2 * j];
    sums.odd += x[j] * line[2 * j + 1];
  }
  return sums;
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

void MultiplyTransposed(MatrixView<const int16_t> x, const PackedMatrix<int16_t>& w,
                        MatrixView<int32_t> z) {
  TALLY_CHECK(x.columns == w.columns() && z.rows == x.rows && z.columns == w.rows());
  for (size_t line = 0; line < w.lines(); ++line) {
    for (size_t r = 0; r < x.rows; ++r) {
      PairSums sums;
      for (size_t p = 0; p < w.panels(); ++p) {
        const PairSums part = DotLine(x.Row(r) + p * kPanel,
                                      std::min(kPanel, x.columns - p * kPanel), w.Line(p, line));
        sums.even += part.even;
        sums.odd += part.odd;
      }
      z.Row(r)[2 * line] = sums.even;
      if (2 * line + 1 < w.rows()) z.Row(r)[2 * line + 1] = sums.odd;
    }
  }
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
  WideTransposedProduct(x, w, z);
}
void WideMultiplyTransposed(MatrixView<const int64_t> x, const PackedMatrix<int16_t>& w,
                            MatrixView<int64_t> z) {
  WideTransposedProduct(x, w, z);
}

}  // namespace tally::kernels
