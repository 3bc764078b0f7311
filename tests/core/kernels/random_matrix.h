// Matrices for kernel tests: random, sparse, or at the ends of a range.

#ifndef TALLY_TESTS_CORE_KERNELS_RANDOM_MATRIX_H_
#define TALLY_TESTS_CORE_KERNELS_RANDOM_MATRIX_H_

#include <cstdint>
#include <random>

#include "core/tensor/tensor.h"

namespace tally::test {

enum class Filling { kUniform, kMostlyZero, kEnds, kHighest, kLowest };

inline constexpr Filling kFillings[] = {Filling::kUniform, Filling::kMostlyZero, Filling::kEnds,
                                        Filling::kHighest, Filling::kLowest};

// Elements in [low, high].
template <class T>
Tensor<T> MakeMatrix(std::mt19937_64& random, size_t rows, size_t columns, int64_t low,
                     int64_t high, Filling filling) {
  Tensor<T> matrix(Shape({rows, columns}));
  for (T& element : matrix.elements()) {
    // Unsigned, because the width of a whole int64 range is no int64.
    const uint64_t width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
    const auto uniform = static_cast<int64_t>(static_cast<uint64_t>(low) + random() % width);
    const bool coin = random() % 2 == 0;
    switch (filling) {
      case Filling::kUniform:
        element = static_cast<T>(uniform);
        break;
      case Filling::kMostlyZero:
        element = static_cast<T>(random() % 5 == 0 ? uniform : 0);
        break;
      case Filling::kEnds:
        element = static_cast<T>(coin ? low : high);
        break;
      case Filling::kHighest:
        element = static_cast<T>(high);
        break;
      case Filling::kLowest:
        element = static_cast<T>(low);
        break;
    }
  }
  return matrix;
}

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_KERNELS_RANDOM_MATRIX_H_
