// The walk over a NITI learner's state, and the check after a restore.

#include <string>
#include <vector>

#include "core/algorithms/niti/fine_weights.h"
#include "core/algorithms/niti/learner.h"
#include "core/algorithms/niti/momentum.h"
#include "core/algorithms/state_entries.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::niti {
namespace {

// Of a gradient, 62, and of 63 shifts of errors above it.
constexpr int32_t kRangeMax = 62 + 63 * 24;

// [units][fan_in], a convolution's [units][kernel row][kernel column][channel].
Shape PlainShape(const Stage& stage) {
  if (stage.kind == LayerKind::kDense) return Shape({stage.units, stage.fan_in});
  const kernels::ConvolutionShape& convolution = stage.convolution;
  return Shape(
      {stage.units, convolution.kernel_height, convolution.kernel_width, convolution.channels});
}

// Visits values in the plain layout, and takes back what the visitor may have changed. `at(k, j)`
// is the value of input k and unit j.
template <class T, class At>
void VisitPlain(StateVisitor& visitor, const std::string& name, const Stage& stage, const At& at) {
  Tensor<T> plain(PlainShape(stage));
  for (size_t j = 0; j < stage.units; ++j) {
    for (size_t k = 0; k < stage.fan_in; ++k) plain[j * stage.fan_in + k] = at(k, j);
  }
  VisitTensor(visitor, name, plain, /*lent=*/true);
  for (size_t j = 0; j < stage.units; ++j) {
    for (size_t k = 0; k < stage.fan_in; ++k) at(k, j) = plain[j * stage.fan_in + k];
  }
}

template <class T>
T& PanelAt(kernels::PanelSums<T>& values, size_t k, size_t j) {
  constexpr size_t kColumns = kernels::PanelSums<T>::kPanelColumns;
  return values.Row(j / kColumns, k)[j % kColumns];
}

}  // namespace

void NitiLearner::VisitState(StateVisitor& visitor) {
  VisitScalar(visitor, "step", step_);
  network_.input.VisitState(visitor);
  for (size_t s = 0; s < training_.size(); ++s) {
    const std::string prefix = LayerPrefix(s);
    Stage& stage = network_.stages[s];
    kernels::PanelSums<int16_t>& fine = training_[s].fine_weights;
    if (fine.elements().empty()) {
      VisitPlain<int8_t>(visitor, prefix + "weights", stage,
                         [&](size_t k, size_t j) -> int8_t& { return stage.weights.At(k, j); });
    } else {
      VisitPlain<int16_t>(visitor, prefix + "weights", stage,
                          [&](size_t k, size_t j) -> int16_t& { return PanelAt(fine, k, j); });
    }
    if (kernels::PanelSums<int32_t>& velocity = training_[s].velocity;
        !velocity.elements().empty()) {
      VisitPlain<int32_t>(visitor, prefix + "velocity", stage,
                          [&](size_t k, size_t j) -> int32_t& { return PanelAt(velocity, k, j); });
    }
    VisitScalar(visitor, prefix + "exponent", stage.exponent);
    if (spec_.niti.range_memory == 0) continue;
    VisitScalar(visitor, prefix + "range", training_[s].range);
    VisitScalar(visitor, prefix + "range_age", training_[s].range_age);
  }
  for (size_t s = 0; s < training_.size(); ++s) {
    VisitScalar(visitor, LayerPrefix(s) + "wide_steps", training_[s].wide_steps,
                /*in_digest=*/false);
  }
}

absl::Status NitiLearner::CheckRestoredState() {
  absl::Status status = network_.input.CheckRestoredState();
  const std::vector<Stage> fresh = MakeStages(spec_);
  for (size_t s = 0; s < training_.size(); ++s) {
    const std::string prefix = LayerPrefix(s);
    Stage& stage = network_.stages[s];
    if (stage.exponent != fresh[s].exponent) {
      status.Update(absl::DataLossError(
          text::StrCat(prefix, "exponent is ", stage.exponent, ", expected ", fresh[s].exponent,
                       ": the state is damaged; restore an older checkpoint")));
    }
    status.Update(CheckMagnitude(prefix + "range", 0, training_[s].range, kRangeMax));
    if (training_[s].range_age > spec_.niti.range_memory) {
      status.Update(absl::DataLossError(text::StrCat(
          prefix, "range_age is ", training_[s].range_age, ", above ", spec_.niti.range_memory,
          ": the state is damaged; restore an older checkpoint")));
    }
    const bool fine = !training_[s].fine_weights.elements().empty();
    for (size_t j = 0; j < stage.units && status.ok(); ++j) {
      for (size_t k = 0; k < stage.fan_in; ++k) {
        const int32_t value =
            fine ? PanelAt(training_[s].fine_weights, k, j) : int32_t{stage.weights.At(k, j)};
        status.Update(CheckMagnitude(prefix + "weights", j * stage.fan_in + k, value,
                                     fine ? kFineWeightMax : kernels::kMantissaMax));
        if (training_[s].velocity.elements().empty()) continue;
        status.Update(CheckMagnitude(prefix + "velocity", j * stage.fan_in + k,
                                     PanelAt(training_[s].velocity, k, j), kVelocityMax));
      }
    }
  }
  if (status.ok()) CoarsenFineWeights();
  return status;
}

}  // namespace tally::niti
