#include "core/algorithms/niti/momentum.h"

#include <algorithm>
#include <bit>

#include "core/algorithms/niti/fine_weights.h"
#include "core/algorithms/niti/learner.h"
#include "core/arithmetic/rounding.h"

namespace tally::niti {
namespace {

constexpr int32_t kLongestShift = 62;
constexpr int32_t kNarrowShift = 31;

// The powers of two of the header's p and q, and what a velocity keeps.
struct Descent {
  int32_t gradient_power;
  int32_t decay_power;
  bool decays;
  int32_t momentum_bits;
};

// The new velocity of a weight; `velocity` is within kVelocityMax.
int32_t Velocity(int32_t velocity, int32_t gradient, int16_t fine, const Descent& descent) {
  velocity += gradient - ShiftHalfAwayFromZero(velocity, descent.momentum_bits);
  return descent.decays ? velocity + Push(fine, descent.decay_power) : velocity;
}

}  // namespace

int32_t Push(int64_t x, int32_t power) {
  constexpr int64_t kMax = kPushMax;
  if (power < 0) x = ShiftPseudoStochastic(x, std::min(-power, kLongestShift));
  x = Clamp(x, -kMax, kMax);
  if (power > 0) x *= int64_t{1} << std::min(power, kNarrowShift);
  return static_cast<int32_t>(Clamp(x, -kMax, kMax));
}

template <class Sum>
void NitiLearner::ApplyMomentum(size_t s, const kernels::PanelSums<Sum>& sums) {
  constexpr size_t kColumns = kernels::PanelSums<Sum>::kPanelColumns;
  constexpr size_t kGroup = kernels::PackedMatrix<int8_t>::kGroup;
  Stage& stage = network_.stages[s];
  StageTraining& training = training_[s];
  const int32_t input = s == 0 ? kInputExponent : training_[s - 1].trace.output_exponent;
  const int32_t batch = static_cast<int32_t>(std::bit_width(spec_.batch_size)) - 1;
  const int32_t unit = stage.exponent - kFineWeightBits - kVelocityBits;
  const int32_t mu = MuAt(spec_, step_);
  const auto decay_bits = static_cast<int32_t>(spec_.niti.decay_bits);
  const Descent descent = {.gradient_power = mu + input + error_unit_ - batch - unit,
                           .decay_power = kVelocityBits + mu - decay_bits,
                           .decays = decay_bits != 0,
                           .momentum_bits = static_cast<int32_t>(spec_.niti.momentum_bits)};
  for (size_t panel = 0; panel < sums.panels(); ++panel) {
    for (size_t row = 0; row < sums.rows(); ++row) {
      const Sum* sum = sums.Row(panel, row);
      int32_t* velocity = training.velocity.Row(panel, row);
      int16_t* fine = training.fine_weights.Row(panel, row);
      int8_t* weight = stage.weights.Line(panel, row / kGroup) + row % kGroup;
      for (size_t j = 0; j < kColumns; ++j) {
        const int32_t push = Push(sum[j], descent.gradient_power);
        velocity[j] = Velocity(velocity[j], push, fine[j], descent);
        const int32_t step = ShiftPseudoStochastic(velocity[j], kVelocityBits);
        fine[j] = static_cast<int16_t>(Clamp(fine[j] - step, -kFineWeightMax, kFineWeightMax));
        weight[j * kGroup] = CoarseWeight(fine[j]);
      }
    }
  }
}

template void NitiLearner::ApplyMomentum(size_t, const kernels::PanelSums<int32_t>&);
template void NitiLearner::ApplyMomentum(size_t, const kernels::PanelSums<int64_t>&);

}  // namespace tally::niti
