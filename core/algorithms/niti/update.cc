// What becomes of the gradients of a stage: their sum, decay, range, and the update of its weights.

#include <algorithm>

#include "core/algorithms/niti/fine_weights.h"
#include "core/algorithms/niti/learner.h"
#include "core/algorithms/niti/range.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/requantise.h"

namespace tally::niti {
namespace {

constexpr int32_t kNarrowShiftMax = 31;

// visit(sum, weight, index of the sum) for each weight there is.
template <class Sum, class Visit>
void ForEachWeight(kernels::PanelSums<Sum>& sums, kernels::PackedMatrix<int8_t>& weights,
                   const Visit& visit) {
  constexpr size_t kColumns = kernels::PanelSums<Sum>::kPanelColumns;
  constexpr size_t kGroup = kernels::PackedMatrix<int8_t>::kGroup;
  for (size_t panel = 0; panel < sums.panels(); ++panel) {
    const size_t columns = std::min(kColumns, sums.columns() - panel * kColumns);
    for (size_t row = 0; row < sums.rows(); ++row) {
      Sum* sum = sums.Row(panel, row);
      int8_t* weight = weights.Line(panel, row / kGroup) + row % kGroup;
      const size_t index = (panel * sums.rows() + row) * kColumns;
      for (size_t j = 0; j < columns; ++j) visit(sum[j], weight[j * kGroup], index + j);
    }
  }
}

// Adds w * 2^power to each sum, truncated.
template <class Sum>
void AddDecay(int32_t power, kernels::PackedMatrix<int8_t>& weights,
              kernels::PanelSums<Sum>& sums) {
  ForEachWeight(sums, weights, [&](Sum& sum, int8_t weight, size_t) {
    sum += power >= 0 ? weight * (Sum{1} << power) : ShiftTrunc(int32_t{weight}, -power);
  });
}

// The steps of weights with eight more bits, `step` of each sum. Whole panels, whose surplus
// columns have sums and weights of 0.
template <class Sum, class Step>
void MoveFineWeights(const kernels::PanelSums<Sum>& sums, const Step& step,
                     kernels::PanelSums<int16_t>& fine_weights,
                     kernels::PackedMatrix<int8_t>& weights) {
  constexpr size_t kColumns = kernels::PanelSums<Sum>::kPanelColumns;
  constexpr size_t kGroup = kernels::PackedMatrix<int8_t>::kGroup;
  for (size_t panel = 0; panel < sums.panels(); ++panel) {
    for (size_t row = 0; row < sums.rows(); ++row) {
      const Sum* sum = sums.Row(panel, row);
      int16_t* fine = fine_weights.Row(panel, row);
      int8_t* weight = weights.Line(panel, row / kGroup) + row % kGroup;
      for (size_t j = 0; j < kColumns; ++j) {
        const auto cut =
            static_cast<int32_t>(Clamp<Sum>(step(sum[j]), -2 * kFineWeightMax, 2 * kFineWeightMax));
        fine[j] = static_cast<int16_t>(Clamp(fine[j] - cut, -kFineWeightMax, kFineWeightMax));
      }
      for (size_t j = 0; j < kColumns; ++j) weight[j * kGroup] = CoarseWeight(fine[j]);
    }
  }
}

}  // namespace

void NitiLearner::StartFineWeights() {
  if (spec_.niti.weight_bits != 16) return;
  const int32_t unit = 1 << (kFineWeightBits - static_cast<int32_t>(spec_.niti.headroom_bits));
  for (size_t s = 0; s < training_.size(); ++s) {
    Stage& stage = network_.stages[s];
    kernels::PanelSums<int16_t>& fine = training_[s].fine_weights;
    fine = kernels::PanelSums<int16_t>(stage.fan_in, stage.units);
    ForEachWeight(fine, stage.weights, [unit](int16_t& value, int8_t weight, size_t) {
      value = static_cast<int16_t>(weight * unit);
    });
  }
  CoarsenFineWeights();
}

void NitiLearner::CoarsenFineWeights() {
  if (spec_.niti.weight_bits != 16) return;
  for (size_t s = 0; s < training_.size(); ++s) {
    ForEachWeight(training_[s].fine_weights, network_.stages[s].weights,
                  [](int16_t value, int8_t& weight, size_t) { weight = CoarseWeight(value); });
  }
}

void NitiLearner::UpdateStage(size_t s) {
  StageTraining& training = training_[s];
  if (training.wide_sums.empty()) {
    JoinSums(training.narrow_sums);
    Apply(s, training.narrow_sums[0]);
    return;
  }
  JoinSums(training.wide_sums);
  if (options_.environment.collective != nullptr)
    options_.environment.collective->Sum(training.wide_sums[0].elements());
  ++training.wide_steps;
  Apply(s, training.wide_sums[0]);
}

int32_t NitiLearner::RememberRange(size_t s, int32_t own) {
  if (spec_.niti.range_memory == 0) return own;
  StageTraining& training = training_[s];
  const int32_t scaled = own + error_exponent_;
  if (scaled >= training.range) {
    training.range = scaled;
    training.range_age = 0;
  } else if (++training.range_age >= spec_.niti.range_memory) {
    --training.range;
    training.range_age = 0;
  }
  // At the longest shift of 32-bit sums nothing of a gradient is left but its noise.
  const int32_t longest = kNarrowShiftMax + MuAt(spec_, step_);
  return std::max(own, std::min(training.range - error_exponent_, longest));
}

template <class Sum>
void NitiLearner::Apply(size_t s, kernels::PanelSums<Sum>& sums) {
  if (spec_.niti.momentum_bits != 0) return ApplyMomentum(s, sums);
  StageTraining& training = training_[s];
  kernels::PackedMatrix<int8_t>& weights = network_.stages[s].weights;
  const auto find_max = [&] {
    return uint64_t{kernels::MaxMagnitude(std::span<const Sum>(sums.elements()))};
  };
  uint64_t max = find_max();
  if (spec_.niti.decay_bits != 0) {
    AddDecay(Range(max) - static_cast<int32_t>(spec_.niti.decay_bits), weights, sums);
    max = find_max();
  }
  const bool drops_ones = spec_.niti.profile == NitiProfile::kReference;
  const int32_t range = drops_ones ? Range(max) : GradientRange(max);
  training.trace.gradient_max = max;
  training.trace.gradient_range = range;
  if (range == 0) return;
  const int32_t floor = static_cast<int32_t>(spec_.niti.gradient_bits_min);
  const int32_t shift = std::max(RememberRange(s, range), floor) - MuAt(spec_, step_);
  if (training.fine_weights.elements().empty()) {
    kernels::UpdateWeights(
        sums, {.shift = std::max(shift, 0), .rounding = kernels::Rounding::kPseudoStochastic},
        weights);
    return;
  }
  if (shift < 1) {
    MoveFineWeights(
        sums, [](Sum sum) { return sum; }, training.fine_weights, weights);
  } else {
    const auto step = [shift](Sum sum) { return ShiftPseudoStochastic(sum, shift); };
    MoveFineWeights(sums, step, training.fine_weights, weights);
  }
}

template void NitiLearner::Apply(size_t, kernels::PanelSums<int32_t>&);
template void NitiLearner::Apply(size_t, kernels::PanelSums<int64_t>&);

}  // namespace tally::niti
