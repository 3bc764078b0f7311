#include "core/kernels/gemm.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "core/arithmetic/check.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/scaled_rows.h"

namespace tally::kernels {
namespace {

// Inputs and units taken at a time, so that scratch fits the stack and sums stay in the first
// cache.
constexpr size_t kBlockInputs = 512;
constexpr size_t kBlockColumns = 512;

// How many products of these magnitudes an int32 sum holds. At least 1: 32768 * 32767 fits.
size_t RunLength(uint32_t x_magnitude_max, int32_t w_magnitude_max) {
  const uint64_t product =
      uint64_t{x_magnitude_max} * static_cast<uint64_t>(std::max(w_magnitude_max, 1));
  return product == 0 ? kBlockInputs : static_cast<size_t>(INT32_MAX / product);
}

// Lists the rows of `w` that meet a non-zero input, four inputs at a look where all are zero.
size_t ListNonZero(const int16_t* x, size_t count, MatrixView<const int16_t> w, ScaledRow* terms) {
  size_t listed = 0;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    uint64_t four = 0;
    std::memcpy(&four, x + i, sizeof(four));
    if (four == 0) {
      continue;
    }
    for (size_t t = i; t < i + 4; ++t) {
      terms[listed] = {w.Row(t), x[t]};
      listed += x[t] != 0 ? 1 : 0;
    }
  }
  for (; i < count; ++i) {
    terms[listed] = {w.Row(i), x[i]};
    listed += x[i] != 0 ? 1 : 0;
  }
  return listed;
}

// z += the sum of `terms` over the columns [first, first + columns).
void AddRuns(ScaledRow* terms, size_t count, size_t run, size_t first, size_t columns, int64_t* z) {
  int32_t sums[kBlockColumns];
  ScaledRow shifted[kBlockInputs];
  for (size_t i = 0; i < count; ++i) {
    shifted[i] = {terms[i].row + first, terms[i].scale};
  }
  for (size_t start = 0; start < count; start += run) {
    std::fill_n(sums, columns, 0);
    AddScaledRows(shifted + start, std::min(run, count - start), columns, sums);
    for (size_t j = 0; j < columns; ++j) {
      z[first + j] += sums[j];
    }
  }
}

void GemmRow(const int16_t* x, MatrixView<const int16_t> w, int32_t w_magnitude_max, int64_t* z) {
  ScaledRow terms[kBlockInputs + 1];
  std::fill_n(z, w.columns, 0);
  for (size_t k = 0; k < w.rows; k += kBlockInputs) {
    const size_t inputs = std::min(kBlockInputs, w.rows - k);
    const size_t run = RunLength(MaxMagnitude({x + k, inputs}), w_magnitude_max);
    const MatrixView<const int16_t> block = {w.Row(k), inputs, w.columns};
    const size_t count = ListNonZero(x + k, inputs, block, terms);
    for (size_t first = 0; first < w.columns; first += kBlockColumns) {
      AddRuns(terms, count, run, first, std::min(kBlockColumns, w.columns - first), z);
    }
  }
}

int32_t Dot(const int16_t* a, const int16_t* b, size_t count) {
  int32_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += a[i] * b[i];
  }
  return sum;
}

}  // namespace

void Gemm(MatrixView<const int16_t> x, MatrixView<const int16_t> w, int32_t w_magnitude_max,
          MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.rows && z.rows == x.rows && z.columns == w.columns);
  for (size_t r = 0; r < x.rows; ++r) {
    GemmRow(x.Row(r), w, w_magnitude_max, z.Row(r));
  }
}

void GemmTransposed(MatrixView<const int16_t> x, MatrixView<const int16_t> w,
                    int32_t w_magnitude_max, MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.columns && z.rows == x.rows && z.columns == w.rows);
  const size_t depth = x.columns;
  for (size_t r = 0; r < x.rows; ++r) {
    const int16_t* row = x.Row(r);
    const size_t run = RunLength(MaxMagnitude({row, depth}), w_magnitude_max);
    for (size_t c = 0; c < w.rows; ++c) {
      int64_t sum = 0;
      for (size_t k = 0; k < depth; k += run) {
        sum += Dot(row + k, w.Row(c) + k, std::min(run, depth - k));
      }
      z.Row(r)[c] = sum;
    }
  }
}

void WideGemm(MatrixView<const int64_t> x, MatrixView<const int16_t> w, MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.rows && z.rows == x.rows && z.columns == w.columns);
  for (size_t r = 0; r < x.rows; ++r) {
    int64_t* sums = z.Row(r);
    std::fill_n(sums, w.columns, 0);
    for (size_t k = 0; k < w.rows; ++k) {
      const int64_t scale = x.Row(r)[k];
      const int16_t* row = w.Row(k);
      for (size_t j = 0; j < w.columns; ++j) {
        sums[j] += scale * row[j];
      }
    }
  }
}

void WideGemmTransposed(MatrixView<const int64_t> x, MatrixView<const int16_t> w,
                        MatrixView<int64_t> z) {
  TALLY_CHECK(x.columns == w.columns && z.rows == x.rows && z.columns == w.rows);
  for (size_t r = 0; r < x.rows; ++r) {
    const int64_t* row = x.Row(r);
    for (size_t c = 0; c < w.rows; ++c) {
      int64_t sum = 0;
      for (size_t k = 0; k < x.columns; ++k) {
        sum += row[k] * w.Row(c)[k];
      }
      z.Row(r)[c] = sum;
    }
  }
}

}  // namespace tally::kernels
