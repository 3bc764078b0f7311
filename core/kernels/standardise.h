// From the bytes of a row to the int16 elements that enter a network.

#ifndef TALLY_CORE_KERNELS_STANDARDISE_H_
#define TALLY_CORE_KERNELS_STANDARDISE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/arithmetic/division.h"

namespace tally::kernels {

// Each element as int16; `elements` has one for each (Int16: for each two) of `bytes`. Int16
// elements are little-endian.
void LoadUint8(std::span<const std::byte> bytes, std::span<int16_t> elements);
void LoadInt8(std::span<const std::byte> bytes, std::span<int16_t> elements);
void LoadInt16(std::span<const std::byte> bytes, std::span<int16_t> elements);

// x = Clamp(DivTrunc((x - mean) * unit, deviation), -127, 127) with one pair of constants for all,
// or one an element. `unit` is in [1, 127], deviations in [1, 65535], `mean` is any int32.
void Standardise(int32_t mean, const TruncDivider32& deviation, int32_t unit, std::span<int16_t> x);
void StandardiseEach(std::span<const int32_t> means, std::span<const TruncDivider32> deviations,
                     int32_t unit, std::span<int16_t> x);

// Elements cut to +-127.
void NarrowToMantissas(std::span<const int16_t> elements, std::span<int8_t> mantissas);

// out[i] = the element of table i % tables for byte i; a table has 256 elements.
void LookUp(std::span<const std::byte> bytes, std::span<const int8_t> tables,
            std::span<int8_t> out);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_STANDARDISE_H_
