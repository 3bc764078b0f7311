// Element by element: ranges, activations with their slopes, deltas through the slopes.

#ifndef TALLY_CORE_KERNELS_ELEMENTWISE_H_
#define TALLY_CORE_KERNELS_ELEMENTWISE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/arithmetic/division.h"
#include "core/kernels/element_table.h"
#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// The largest |x|; 0 for an empty array.
uint32_t MaxMagnitude(std::span<const int16_t> x);
uint32_t MaxMagnitude(std::span<const int32_t> x);
uint64_t MaxMagnitude(std::span<const int64_t> x);

// Adds `row` to the first elements of every row of `z`.
void AddToRows(std::span<const int16_t> row, MatrixView<int32_t> z);
void AddToRows(std::span<const int16_t> row, MatrixView<int64_t> z);

// Each returns how many outputs were cut at an end of the activation's range. `slope_codes` is
// either empty (prediction) or has as many elements as `z`, as has `a`.
uint64_t ActivateByTable(std::span<const int32_t> z, TruncDivider32 divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> slope_codes);
uint64_t ActivateByTable(std::span<const int64_t> z, const TruncDivider64& divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> slope_codes);

// z below 0 is divided by 5; beyond +-32767 the output stays there, dead.
uint64_t ActivateLeakyRelu(std::span<const int32_t> z, std::span<int16_t> a,
                           std::span<uint8_t> slope_codes);
uint64_t ActivateLeakyRelu(std::span<const int64_t> z, std::span<int16_t> a,
                           std::span<uint8_t> slope_codes);

// a = DivTrunc(z, divisor), slope 1.
void ActivateRescale(std::span<const int32_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> slope_codes);
void ActivateRescale(std::span<const int64_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> slope_codes);

// d = DivTrunc(d, inverse slope), and 0 where the slope is dead. No int32 d is the lowest.
void DivideBySlopes(std::span<const uint8_t> slope_codes, std::span<int32_t> d);
void DivideBySlopes(std::span<const uint8_t> slope_codes, std::span<int64_t> d);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ELEMENTWISE_H_
