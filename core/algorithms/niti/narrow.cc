#include "core/algorithms/niti/narrow.h"

#include "core/kernels/requantise.h"

namespace tally::niti {
namespace {

// Without a shift |sum| is at most 128.
void Wrap(std::span<const int32_t> sums, const Narrowing& how, std::span<int8_t> out) {
  for (size_t i = 0; i < sums.size(); ++i) {
    const auto wrapped = static_cast<int8_t>(sums[i]);
    const bool shut = (how.relu && wrapped < 0) || (!how.gates.empty() && how.gates[i] <= 0);
    out[i] = shut ? int8_t{0} : wrapped;
  }
}

}  // namespace

void Narrow(std::span<const int32_t> sums, const Narrowing& how, std::span<int8_t> out) {
  if (how.shift == 0 && how.wraps) return Wrap(sums, how, out);
  const kernels::Requantisation requantisation = {
      .shift = how.shift, .rounding = kernels::Rounding::kHalfAwayFromZero, .relu = how.relu};
  if (how.gates.empty()) {
    kernels::Requantise(sums, requantisation, out);
  } else {
    kernels::RequantiseGated(sums, requantisation, how.gates, out);
  }
}

}  // namespace tally::niti
