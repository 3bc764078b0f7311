// Sums of a stage, or errors of its input, to int8.

#ifndef TALLY_CORE_ALGORITHMS_NITI_NARROW_H_
#define TALLY_CORE_ALGORITHMS_NITI_NARROW_H_

#include <cstdint>
#include <span>

namespace tally::niti {

struct Narrowing {
  int32_t shift = 0;   // in [0, 31]
  bool relu = false;   // below 0 becomes 0
  bool wraps = false;  // the published code: without a shift 128 becomes -128
  // Empty, or one an element: where it is not above 0 the result is 0.
  std::span<const int8_t> gates = {};
};

// out = RoundShift(sums, shift), cut to +-127.
void Narrow(std::span<const int32_t> sums, const Narrowing& how, std::span<int8_t> out);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_NARROW_H_
