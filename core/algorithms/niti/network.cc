#include "core/algorithms/niti/network.h"

#include <algorithm>
#include <bit>

#include "core/algorithms/niti/loss.h"
#include "core/algorithms/niti/range.h"
#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"

namespace tally::niti {
namespace {

constexpr int32_t kScoreBits = 20;
constexpr int32_t kExponentMax = 4;  // 127 * 2^24 still fits int32

}  // namespace

size_t Network::WidestRow() const {
  size_t widest = stages.front().in_elements;
  for (const Stage& stage : stages) widest = std::max(widest, stage.sum_elements());
  return widest;
}

int32_t ScoreOf(int8_t o, int32_t exponent) {
  return int32_t{o} * (1 << (Clamp(exponent, -kScoreBits, kExponentMax) + kScoreBits));
}

int64_t LossOfScores(NitiSoftmax softmax, std::span<const int32_t> scores, uint32_t label) {
  TALLY_CHECK(label < scores.size());
  // Back to the int8 and the exponent that the scores were made of: a row that was requantised has
  // its largest magnitude in [64, 127]. The common factor of two would not do, since all may be
  // even.
  const auto bits = static_cast<int32_t>(std::bit_width(kernels::MaxMagnitude(scores)));
  const int32_t shift = std::max(0, bits - kMantissaBits);
  thread_local std::vector<int8_t> o;
  thread_local std::vector<int32_t> g;
  o.resize(scores.size());
  g.resize(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    o[i] = SaturateToInt8(Clamp(ShiftTrunc(scores[i], std::min(shift, 31)), -127, 127));
  }
  return CrossEntropyGradient(softmax, o, shift - kScoreBits, label, g);
}

}  // namespace tally::niti
