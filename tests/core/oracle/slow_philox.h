// Philox4x32-10 from its definition (Salmon et al., SC 2011), and the bounded draw of the design:
// the high word of a multiplication, with rejection; a rejected draw takes the next word, then a
// sub-counter.

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_PHILOX_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_PHILOX_H_

#include <array>
#include <cstdint>

namespace tally::oracle {

std::array<uint32_t, 4> SlowPhilox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

struct DrawAddress {
  uint64_t seed = 0;
  uint64_t step = 0;
  uint32_t tensor = 0;
  uint64_t index = 0;
};

// Uniform in [0, bound).
uint32_t SlowDraw(const DrawAddress& address, uint32_t bound);

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_PHILOX_H_
