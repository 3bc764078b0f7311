// The fastest an instruction can go: loops that touch registers only. What kernels are measured
// against.

#ifndef TALLY_TESTS_BENCH_PEAK_LOOPS_H_
#define TALLY_TESTS_BENCH_PEAK_LOOPS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/level.h"

namespace tally::bench {

struct PeakLoop {
  const char* instruction;  // null if the level has no loop here
  // Does `turns` turns of so many multiplications each.
  void (*run)(size_t turns);
  double products_per_turn;
};

// The loop that bounds products of int8 and of int16 at a level; the fastest way the level's
// instructions allow, exactly and without saturation.
PeakLoop Int8Peak(kernels::Level level);
PeakLoop Int16Peak(kernels::Level level);

}  // namespace tally::bench

#endif  // TALLY_TESTS_BENCH_PEAK_LOOPS_H_
