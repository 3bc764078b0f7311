#include "core/arithmetic/shuffle.h"

#include <numeric>
#include <utility>

#include "core/arithmetic/philox.h"

namespace tally {

std::vector<uint32_t> EpochOrder(uint64_t shuffle_seed, uint32_t epoch, uint32_t samples) {
  std::vector<uint32_t> order(samples);
  std::iota(order.begin(), order.end(), 0u);
  UniformDraws draws(shuffle_seed, epoch, kShuffleTensor);
  for (uint32_t i = samples; i-- > 1;) {
    std::swap(order[i], order[draws.At(i, i + 1)]);
  }
  return order;
}

}  // namespace tally
