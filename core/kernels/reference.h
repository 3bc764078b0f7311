// The kernels once more, slowly: each written from its definition in int64, with the division
// operator and without blocks, runs, tables or multiplications by reciprocals. Tests compare every
// kernel, and later every instruction set, with these. Nothing in the product includes this header.

#ifndef TALLY_CORE_KERNELS_REFERENCE_H_
#define TALLY_CORE_KERNELS_REFERENCE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/tensor/matrix_view.h"

namespace tally::kernels::reference {

// A matrix of int64, row-major.
struct Matrix {
  Matrix(size_t row_count, size_t column_count)
      : rows(row_count), columns(column_count), elements(row_count * column_count, 0) {}
  int64_t& at(size_t row, size_t column) { return elements[row * columns + column]; }
  int64_t at(size_t row, size_t column) const { return elements[row * columns + column]; }

  size_t rows;
  size_t columns;
  std::vector<int64_t> elements;
};

template <class T>
Matrix Widen(MatrixView<const T> view) {
  Matrix matrix(view.rows, view.columns);
  for (size_t i = 0; i < view.size(); ++i) {
    matrix.elements[i] = view.data[i];
  }
  return matrix;
}

inline Matrix Transpose(const Matrix& a) {
  Matrix transposed(a.columns, a.rows);
  for (size_t r = 0; r < a.rows; ++r) {
    for (size_t c = 0; c < a.columns; ++c) {
      transposed.at(c, r) = a.at(r, c);
    }
  }
  return transposed;
}

inline Matrix Multiply(const Matrix& a, const Matrix& b) {
  Matrix product(a.rows, b.columns);
  for (size_t r = 0; r < a.rows; ++r) {
    for (size_t c = 0; c < b.columns; ++c) {
      for (size_t k = 0; k < a.columns; ++k) {
        product.at(r, c) += a.at(r, k) * b.at(k, c);
      }
    }
  }
  return product;
}

inline int64_t Cut(int64_t x, int64_t low, int64_t high) {
  if (x < low) return low;
  if (x > high) return high;
  return x;
}

// One weight after its update, and whether it was cut.
struct Updated {
  int64_t weight;
  int64_t residual;
  bool cut;
};

inline Updated UpdateTowardZero(int64_t weight, int64_t sum, int64_t inverse, int64_t limit) {
  const int64_t moved = weight - sum / inverse;
  return {Cut(moved, -limit, limit), 0, moved < -limit || moved > limit};
}

inline Updated UpdateWithErrorFeedback(int64_t weight, int64_t residual, int64_t sum,
                                       int64_t inverse, int64_t limit) {
  const int64_t total = residual + sum;
  Updated updated = UpdateTowardZero(weight, total, inverse, limit);
  updated.residual = total % inverse;
  return updated;
}

// `draw` is uniform in [0, inverse).
inline Updated UpdateStochastic(int64_t weight, int64_t sum, int64_t draw, int64_t inverse,
                                int64_t limit) {
  const int64_t magnitude = sum < 0 ? -sum : sum;
  const int64_t quotient = magnitude / inverse + (magnitude % inverse > draw ? 1 : 0);
  const int64_t moved = weight - (sum < 0 ? -quotient : quotient);
  return {Cut(moved, -limit, limit), 0, moved < -limit || moved > limit};
}

inline int64_t Standardise(int64_t x, int64_t mean, int64_t deviation, int64_t unit) {
  return Cut((x - mean) * unit / deviation, -127, 127);
}

inline int64_t DivideBySlope(int64_t delta, int64_t inverse_slope) {
  return inverse_slope == 0 ? 0 : delta / inverse_slope;
}

}  // namespace tally::kernels::reference

#endif  // TALLY_CORE_KERNELS_REFERENCE_H_
