#include "core/algorithms/niti/momentum.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/algorithms/niti/fine_weights.h"
#include "core/algorithms/niti/learner.h"
#include "core/arithmetic/rounding.h"

namespace tally::niti {
namespace {

constexpr int32_t kLongestShift = 62;
constexpr int32_t kNarrowShift = 31;

constexpr size_t kColumns = kernels::PanelSums<int32_t>::kPanelColumns;
using Pushes = std::array<int32_t, kColumns>;

// Push of each x. Nearly all powers are shifts to the right of 32-bit values: a loop of those is
// one that compilers make vectors of.
template <class X>
void PushAll(const X* x, int32_t power, Pushes& pushes) {
  if (sizeof(X) <= sizeof(int32_t) && power < 0 && power >= -kNarrowShift) {
    const int32_t shift = -power;
    for (size_t j = 0; j < kColumns; ++j) {
      pushes[j] =
          Clamp(ShiftPseudoStochastic(static_cast<int32_t>(x[j]), shift), -kPushMax, kPushMax);
    }
    return;
  }
  for (size_t j = 0; j < kColumns; ++j) pushes[j] = Push(x[j], power);
}

// The weights of one row of a panel, and what moves them.
struct Row {
  int32_t* velocity;
  int16_t* fine;
  int8_t* weight;  // kGroup apart
};

void AddPushes(const Pushes& pushes, int32_t* velocity) {
  for (size_t j = 0; j < kColumns; ++j) velocity[j] += pushes[j];
}

void Slow(int32_t momentum_bits, int32_t* velocity) {
  for (size_t j = 0; j < kColumns; ++j) {
    velocity[j] -= ShiftHalfAwayFromZero(velocity[j], momentum_bits);
  }
}

void Move(const Row& row) {
  constexpr size_t kGroup = kernels::PackedMatrix<int8_t>::kGroup;
  for (size_t j = 0; j < kColumns; ++j) {
    const int32_t step = ShiftPseudoStochastic(row.velocity[j], kVelocityBits);
    row.fine[j] = static_cast<int16_t>(Clamp(row.fine[j] - step, -kFineWeightMax, kFineWeightMax));
  }
  std::array<int8_t, kColumns> coarse;
  for (size_t j = 0; j < kColumns; ++j) coarse[j] = CoarseWeight(row.fine[j]);
  for (size_t j = 0; j < kColumns; ++j) row.weight[j * kGroup] = coarse[j];
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
  constexpr size_t kGroup = kernels::PackedMatrix<int8_t>::kGroup;
  Stage& stage = network_.stages[s];
  StageTraining& training = training_[s];
  const int32_t input = s == 0 ? kInputExponent : training_[s - 1].trace.output_exponent;
  const int32_t batch = static_cast<int32_t>(std::bit_width(spec_.batch_size)) - 1;
  const int32_t unit = stage.exponent - kFineWeightBits - kVelocityBits;
  const int32_t mu = MuAt(spec_, step_);
  const auto decay_bits = static_cast<int32_t>(spec_.niti.decay_bits);
  const auto momentum_bits = static_cast<int32_t>(spec_.niti.momentum_bits);
  const int32_t gradient_power = mu + input + error_unit_ - batch - unit;
  Pushes pushes;
  for (size_t panel = 0; panel < sums.panels(); ++panel) {
    for (size_t row = 0; row < sums.rows(); ++row) {
      int32_t* velocity = training.velocity.Row(panel, row);
      int16_t* fine = training.fine_weights.Row(panel, row);
      Slow(momentum_bits, velocity);
      PushAll(sums.Row(panel, row), gradient_power, pushes);
      AddPushes(pushes, velocity);
      if (decay_bits != 0) {
        PushAll(fine, kVelocityBits + mu - decay_bits, pushes);
        AddPushes(pushes, velocity);
      }
      Move({velocity, fine, stage.weights.Line(panel, row / kGroup) + row % kGroup});
    }
  }
}

template void NitiLearner::ApplyMomentum(size_t, const kernels::PanelSums<int32_t>&);
template void NitiLearner::ApplyMomentum(size_t, const kernels::PanelSums<int64_t>&);

}  // namespace tally::niti
