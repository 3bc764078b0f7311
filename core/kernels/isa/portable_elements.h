// The element kernels in plain C++: the definition. Included once a unit, so that each level's
// compiler flags vectorise it; hence the unnamed namespace.

#ifndef TALLY_CORE_KERNELS_ISA_PORTABLE_ELEMENTS_H_
#define TALLY_CORE_KERNELS_ISA_PORTABLE_ELEMENTS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/element_table.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

[[maybe_unused]] uint32_t MaxMagnitude16(const int16_t* x, size_t count) {
  int16_t lowest = 0;
  int16_t highest = 0;
  for (size_t i = 0; i < count; ++i) {
    lowest = x[i] < lowest ? x[i] : lowest;
    highest = x[i] > highest ? x[i] : highest;
  }
  return static_cast<uint32_t>(-lowest > highest ? -lowest : highest);
}

[[maybe_unused]] uint32_t MaxMagnitude32(const int32_t* x, size_t count) {
  int32_t lowest = 0;
  int32_t highest = 0;
  for (size_t i = 0; i < count; ++i) {
    lowest = x[i] < lowest ? x[i] : lowest;
    highest = x[i] > highest ? x[i] : highest;
  }
  const uint32_t below = 0u - static_cast<uint32_t>(lowest);
  return below > static_cast<uint32_t>(highest) ? below : static_cast<uint32_t>(highest);
}

[[maybe_unused]] uint32_t SumMagnitudes(const int16_t* x, size_t count) {
  uint32_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t value = x[i];
    sum += static_cast<uint32_t>(value < 0 ? -value : value);
  }
  return sum;
}

[[maybe_unused]] void FindEntries(const int32_t* z, size_t count, TruncDivider32 divider,
                                  uint32_t* entries) {
  const uint32_t multiplier = divider.multiplier();
  const int32_t shift = divider.shift();
  for (size_t i = 0; i < count; ++i) {
    const uint32_t sign = 0u - (static_cast<uint32_t>(z[i]) >> 31);
    const uint32_t magnitude = (static_cast<uint32_t>(z[i]) ^ sign) - sign;
    const uint32_t quotient = static_cast<uint32_t>((uint64_t{magnitude} * multiplier) >> shift);
    const uint32_t cut = quotient < 128 ? quotient : 128;
    entries[i] = ((cut ^ sign) - sign) + 128;
  }
}

[[maybe_unused]] void DivideBySlopeCodes(const uint8_t* codes, size_t count, int32_t* d) {
  for (size_t i = 0; i < count; ++i) {
    const uint32_t sign = 0u - (static_cast<uint32_t>(d[i]) >> 31);
    const uint32_t doubled = 2 * ((static_cast<uint32_t>(d[i]) ^ sign) - sign);
    const uint32_t high =
        static_cast<uint32_t>((uint64_t{doubled} * kSlopeDividers.multiplier[codes[i] % 8]) >> 32);
    const uint32_t quotient = high >> kSlopeDividers.shift[codes[i] % 8];
    d[i] = static_cast<int32_t>((quotient ^ sign) - sign);
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_PORTABLE_ELEMENTS_H_
