// Element by element: ranges, activations with their inverse slopes, deltas through the slopes.

#ifndef TALLY_CORE_KERNELS_ELEMENTWISE_H_
#define TALLY_CORE_KERNELS_ELEMENTWISE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/arithmetic/division.h"
#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// The largest |x|; 0 for an empty array.
uint32_t MaxMagnitude(std::span<const int16_t> x);
uint32_t MaxMagnitude(std::span<const int32_t> x);
uint64_t MaxMagnitude(std::span<const int64_t> x);

// Adds `row` to the first elements of every row of `z`.
void AddToRows(std::span<const int16_t> row, MatrixView<int32_t> z);
void AddToRows(std::span<const int16_t> row, MatrixView<int64_t> z);

// An activation that sees x = DivTrunc(z, divisor) cut to [-128, 128]; entry x + 128 is its point
// there.
struct ActivationTable {
  struct Point {
    int16_t value = 0;
    uint8_t inverse_slope = 0;  // 0 marks a dead region, through which no delta passes
    uint8_t saturated = 0;      // 1 where the output is cut at an end of its range
  };
  static constexpr int32_t kLowest = -128;
  static constexpr int32_t kHighest = 128;
  static constexpr size_t kEntries = 257;
  std::array<Point, kEntries> points = {};
};

// Each returns how many outputs were cut at an end of the activation's range. `inverse_slopes` is
// either empty (prediction) or has as many elements as `z`, as has `a`.
uint64_t ActivateByTable(std::span<const int32_t> z, TruncDivider32 divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> inverse_slopes);
uint64_t ActivateByTable(std::span<const int64_t> z, const TruncDivider64& divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> inverse_slopes);

// z below 0 is divided by 5; beyond +-32767 the output stays there, dead.
uint64_t ActivateLeakyRelu(std::span<const int32_t> z, std::span<int16_t> a,
                           std::span<uint8_t> inverse_slopes);
uint64_t ActivateLeakyRelu(std::span<const int64_t> z, std::span<int16_t> a,
                           std::span<uint8_t> inverse_slopes);

// a = DivTrunc(z, divisor) with inverse slope 1.
void ActivateRescale(std::span<const int32_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> inverse_slopes);
void ActivateRescale(std::span<const int64_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> inverse_slopes);

// d = DivTrunc(d, inverse slope), and 0 where the slope is dead. Slopes are at most 127.
void DivideBySlopes(std::span<const uint8_t> inverse_slopes, std::span<int32_t> d);
void DivideBySlopes(std::span<const uint8_t> inverse_slopes, std::span<int64_t> d);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ELEMENTWISE_H_
