// Requantisation in plain C++: the definition. Included once a unit, so that each level's compiler
// flags vectorise it; hence the unnamed namespace.

#ifndef TALLY_CORE_KERNELS_ISA_PORTABLE_REQUANTISE_H_
#define TALLY_CORE_KERNELS_ISA_PORTABLE_REQUANTISE_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/requantise_table.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

// Each has an operator() for a magnitude, and is made for a shift.

struct TowardZero {
  explicit TowardZero(int32_t by) : shift(by) {}
  int32_t operator()(int32_t magnitude) const { return magnitude >> shift; }
  int32_t shift;
};

// The sum may pass int32, not uint32.
struct HalfAwayFromZero {
  explicit HalfAwayFromZero(int32_t by) : shift(by), half(1u << (by - 1)) {}
  int32_t operator()(int32_t magnitude) const {
    return static_cast<int32_t>((static_cast<uint32_t>(magnitude) + half) >> shift);
  }
  int32_t shift;
  uint32_t half;
};

// The upper half of the dropped bits against the lower one.
struct PseudoStochastic {
  explicit PseudoStochastic(int32_t by)
      : shift(by),
        half(by / 2),
        odd(by & 1),
        dropped_mask(static_cast<int32_t>((1u << by) - 1)),
        dice_mask((1 << (by / 2)) - 1) {}
  int32_t operator()(int32_t magnitude) const {
    const int32_t upper = (magnitude & dropped_mask) >> half;
    const int32_t dice = (magnitude & dice_mask) << odd;
    return (magnitude >> shift) + (upper > dice ? 1 : 0);
  }
  int32_t shift;
  int32_t half;
  int32_t odd;
  int32_t dropped_mask;
  int32_t dice_mask;
};

template <class Round>
[[gnu::always_inline]] inline int32_t RequantiseOne(int32_t sum, const Round& round,
                                                    int32_t lowest) {
  const int32_t magnitude = round(sum < 0 ? -sum : sum);
  const int32_t cut = magnitude < 127 ? magnitude : 127;
  const int32_t value = sum < 0 ? -cut : cut;
  return value < lowest ? lowest : value;
}

template <class Round>
void RequantiseAll(const RequantiseTask& task) {
  const Round round(task.shift);
  const int32_t* __restrict sums = task.sums;
  const int8_t* __restrict gates = task.gates;
  int8_t* __restrict out = task.out;
  const size_t count = task.count;
  const int32_t lowest = task.lowest;
  if (gates == nullptr) {
    for (size_t i = 0; i < count; ++i) {
      out[i] = static_cast<int8_t>(RequantiseOne(sums[i], round, lowest));
    }
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    const int32_t value = RequantiseOne(sums[i], round, lowest);
    out[i] = static_cast<int8_t>(gates[i] > 0 ? value : 0);
  }
}

[[gnu::always_inline]] inline int8_t SubtractOne(int8_t weight, int8_t step) {
  const int16_t moved = static_cast<int16_t>(weight - step);
  const int16_t below = moved < 127 ? moved : int16_t{127};
  return static_cast<int8_t>(below > -127 ? below : -127);
}

// As the lines lie: element (row, lane) of the steps meets byte 4 * lane + row.
[[maybe_unused]] void Subtract(const int8_t* steps, size_t lines, int8_t* weights) {
  for (size_t l = 0; l < lines; ++l) {
    for (size_t row = 0; row < 4; ++row) {
      for (size_t lane = 0; lane < 16; ++lane) {
        int8_t& weight = weights[64 * l + 4 * lane + row];
        weight = SubtractOne(weight, steps[64 * l + 16 * row + lane]);
      }
    }
  }
}

constexpr RequantiseTable MakeRequantiseTable(Level level,
                                              void (*subtract)(const int8_t*, size_t, int8_t*)) {
  return {
      level,
      {RequantiseAll<TowardZero>, RequantiseAll<HalfAwayFromZero>, RequantiseAll<PseudoStochastic>},
      subtract};
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_PORTABLE_REQUANTISE_H_
