// The order in which an epoch visits its samples: one definition for `tally fit`, `tally train` and tests.

#ifndef TALLY_CORE_ARITHMETIC_SHUFFLE_H_
#define TALLY_CORE_ARITHMETIC_SHUFFLE_H_

#include <cstdint>
#include <vector>

namespace tally {

// Fisher-Yates from the identity: for i = samples - 1 down to 1, swap i with a uniform j in [0, i], drawn
// from Philox with key `shuffle_seed` and a counter that holds `epoch` (counted from 0).
std::vector<uint32_t> EpochOrder(uint64_t shuffle_seed, uint32_t epoch, uint32_t samples);

}  // namespace tally

#endif  // TALLY_CORE_ARITHMETIC_SHUFFLE_H_
