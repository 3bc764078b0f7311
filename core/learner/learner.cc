#include "core/learner/learner.h"

#include "core/arithmetic/check.h"

namespace tally {

uint32_t ArgMax(std::span<const int32_t> scores) {
  TALLY_CHECK(!scores.empty());
  size_t best = 0;
  for (size_t i = 1; i < scores.size(); ++i) {
    if (scores[i] > scores[best]) best = i;
  }
  return static_cast<uint32_t>(best);
}

}  // namespace tally
