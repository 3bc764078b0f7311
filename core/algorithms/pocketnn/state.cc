// The walk over a PocketNN learner's state, and the check after a restore.

#include <bit>
#include <string>

#include "core/algorithms/pocketnn/initialise.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/text/strings.h"

namespace tally::pocketnn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "state arrays are visited in place, and their bytes are little-endian");

template <class T>
constexpr StateType TypeOf() {
  if constexpr (std::is_same_v<T, int16_t>) {
    return StateType::kInt16;
  } else {
    static_assert(std::is_same_v<T, int32_t>);
    return StateType::kInt32;
  }
}

// Arrays that this model does not have are empty and not visited.
template <class T>
void VisitTensor(StateVisitor& visitor, const std::string& name, Tensor<T>& tensor) {
  if (!tensor.empty()) {
    visitor.Visit({.name = name,
                   .type = TypeOf<T>(),
                   .shape = tensor.shape().extents(),
                   .bytes = tensor.bytes()});
  }
}

void VisitScalar(StateVisitor& visitor, const std::string& name, uint64_t& value, bool in_digest) {
  visitor.Visit({.name = name,
                 .type = StateType::kUint64,
                 .shape = {},
                 .bytes = std::as_writable_bytes(std::span(&value, 1)),
                 .in_digest = in_digest});
}

template <class T>
absl::Status CheckMagnitudes(const std::string& name, const Tensor<T>& tensor, int32_t limit) {
  for (size_t i = 0; i < tensor.size(); ++i) {
    if (tensor[i] < -limit || tensor[i] > limit) {
      return absl::DataLossError(
          text::StrCat(name, ": element ", i, " is ", tensor[i], ", outside [", -limit, ", ", limit,
                       "]: the state is damaged; restore an older checkpoint"));
    }
  }
  return absl::OkStatus();
}

std::string LayerPrefix(size_t layer) { return text::StrCat("layer", layer + 1, "."); }

}  // namespace

void PocketNnLearner::VisitState(StateVisitor& visitor) {
  VisitScalar(visitor, "step", step_, true);
  network_.input.VisitState(visitor);
  for (size_t l = 0; l < training_.size(); ++l) {
    const std::string prefix = LayerPrefix(l);
    LayerTraining& training = training_[l];
    VisitTensor(visitor, prefix + "weight", network_.layers[l].weights);
    VisitTensor(visitor, prefix + "bias", network_.layers[l].bias);
    VisitTensor(visitor, prefix + "feedback", training.feedback);
    VisitTensor(visitor, prefix + "weight_residual", training.weight_residual);
    VisitTensor(visitor, prefix + "bias_residual", training.bias_residual);
  }
  VisitCounters(visitor);
}

void PocketNnLearner::VisitCounters(StateVisitor& visitor) {
  for (size_t l = 0; l < training_.size(); ++l) {
    const std::string prefix = LayerPrefix(l);
    LayerCounters& counters = training_[l].counters;
    VisitScalar(visitor, prefix + "saturated_activations", counters.saturated_activations, false);
    VisitScalar(visitor, prefix + "clamped_weights", counters.clamped_weights, false);
    VisitScalar(visitor, prefix + "wide_steps", counters.wide_steps, false);
  }
}

absl::Status PocketNnLearner::CheckRestoredState() {
  absl::Status status = network_.input.CheckRestoredState();
  const int32_t weight_limit = static_cast<int32_t>(spec_.pocketnn.weight_limit);
  const int32_t residual_limit = static_cast<int32_t>(max_inverse_ - 1);
  for (size_t l = 0; l < training_.size(); ++l) {
    const std::string prefix = LayerPrefix(l);
    const LayerTraining& training = training_[l];
    const DenseLayer& layer = network_.layers[l];
    status.Update(CheckMagnitudes(prefix + "weight", layer.weights, weight_limit));
    status.Update(CheckMagnitudes(prefix + "bias", layer.bias, weight_limit));
    status.Update(CheckMagnitudes(prefix + "feedback", training.feedback,
                                  static_cast<int32_t>(FeedbackMagnitude(spec_, l))));
    status.Update(
        CheckMagnitudes(prefix + "weight_residual", training.weight_residual, residual_limit));
    status.Update(
        CheckMagnitudes(prefix + "bias_residual", training.bias_residual, residual_limit));
  }
  // A restored reference model has its matrices.
  feedback_drawn_ = feedback_drawn_ || step_ > 0;
  return status;
}

}  // namespace tally::pocketnn
