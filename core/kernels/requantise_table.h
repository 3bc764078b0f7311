// The inner loops of requantisation, one set a level.

#ifndef TALLY_CORE_KERNELS_REQUANTISE_TABLE_H_
#define TALLY_CORE_KERNELS_REQUANTISE_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/level.h"

namespace tally::kernels {

struct RequantiseTask {
  const int32_t* sums;
  const int8_t* gates;  // or null
  int8_t* out;
  size_t count;
  int32_t shift;
  int32_t lowest;  // that the result may be
};

// A shift of 0 is asked of kTowardZero only.
using RequantiseLoop = void (*)(const RequantiseTask& task);

struct RequantiseTable {
  Level level;
  RequantiseLoop loops[3];  // by Rounding
  // Lines of packed weights, 64 int8 each: weights -= steps, cut to +-127. The steps of a line are
  // its four rows of 16, as requantised sums of a panel lie.
  void (*subtract)(const int8_t* steps, size_t lines, int8_t* weights);
};

const RequantiseTable& RequantiseOf(Level level);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_REQUANTISE_TABLE_H_
