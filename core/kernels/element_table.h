// The inner loops on arrays of numbers, one set a level: ranges, activations, slopes.

#ifndef TALLY_CORE_KERNELS_ELEMENT_TABLE_H_
#define TALLY_CORE_KERNELS_ELEMENT_TABLE_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/arithmetic/division.h"
#include "core/kernels/level.h"

namespace tally::kernels {

// The inverse slopes that activations have, by code; the code 0 is a dead region, through which no
// delta passes. Eight entries fit a register, where a table of all slopes would not.
inline constexpr std::array<uint8_t, 8> kInverseSlopes = {0, 1, 2, 5, 8, 127, 1, 1};

constexpr uint8_t SlopeCode(int32_t inverse_slope) {
  for (size_t code = 0; code < kInverseSlopes.size(); ++code) {
    if (kInverseSlopes[code] == inverse_slope) return static_cast<uint8_t>(code);
  }
  return UINT8_MAX;  // no code; a table with it is refused when it is made
}

// |d| / slope is the high word of 2|d| * multiplier, shifted by `shift`: TruncDivider32 with one of
// its 31 bits moved to the dividend.
struct SlopeDividers {
  std::array<uint32_t, 8> multiplier = {};
  std::array<uint32_t, 8> shift = {};
};

constexpr SlopeDividers MakeSlopeDividers() {
  SlopeDividers dividers;
  for (size_t code = 1; code < kInverseSlopes.size(); ++code) {
    const TruncDivider32 divider(kInverseSlopes[code]);
    dividers.multiplier[code] = divider.multiplier();
    dividers.shift[code] = static_cast<uint32_t>(divider.shift() - 31);
  }
  return dividers;
}

inline constexpr SlopeDividers kSlopeDividers = MakeSlopeDividers();

// An activation that sees x = DivTrunc(z, divisor) cut to [-128, 128]; entry x + 128 is its point
// there.
struct ActivationTable {
  struct Point {
    int16_t value = 0;
    uint8_t slope_code = 0;
    uint8_t saturated = 0;  // 1 where the output is cut at an end of its range
  };
  static constexpr int32_t kLowest = -128;
  static constexpr int32_t kHighest = 128;
  static constexpr size_t kEntries = 257;
  std::array<Point, kEntries> points = {};
};

struct ElementTable {
  Level level;

  // The largest |x|; 0 for none.
  uint32_t (*max_magnitude16)(const int16_t* x, size_t count);
  uint32_t (*max_magnitude32)(const int32_t* x, size_t count);
  // The sum of |x| for up to 65,536 elements.
  uint32_t (*sum_magnitudes)(const int16_t* x, size_t count);
  // Quotients of any z but the lowest int32, as entries of an activation table.
  void (*find_entries)(const int32_t* z, size_t count, TruncDivider32 divider, uint32_t* entries);
  // d = DivTrunc(d, slope of its code); 0 where that is dead. d is any int32 but the lowest.
  void (*divide_by_slopes)(const uint8_t* codes, size_t count, int32_t* d);
};

const ElementTable& ElementsOf(Level level);
const ElementTable& Elements();  // of the active level

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ELEMENT_TABLE_H_
