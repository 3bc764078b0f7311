// The walk over a PocketNN learner's state, and the check after a restore.

#include <algorithm>
#include <string>

#include "core/algorithms/pocketnn/initialise.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/algorithms/state_entries.h"
#include "core/text/status_macros.h"

namespace tally::pocketnn {
namespace {

// A packed matrix is visited in its plain layout, and takes back what the visitor may have changed.
void VisitPacked(StateVisitor& visitor, const std::string& name,
                 kernels::PackedMatrix<int16_t>& packed) {
  if (packed.empty()) return;
  Tensor<int16_t> plain(Shape({packed.rows(), packed.columns()}));
  packed.Unpack(plain.matrix());
  visitor.Visit({.name = name,
                 .type = StateType::kInt16,
                 .shape = plain.shape().extents(),
                 .bytes = plain.bytes(),
                 .lent = true});
  packed.Pack(plain.matrix());
}

// The first [rows, columns] of a padded matrix, likewise.
void VisitPadded(StateVisitor& visitor, const std::string& name, size_t rows, size_t columns,
                 Tensor<int32_t>& padded) {
  if (padded.empty()) return;
  Tensor<int32_t> plain(Shape({rows, columns}));
  for (size_t r = 0; r < rows; ++r) {
    std::copy_n(padded.matrix().Row(r), columns, plain.matrix().Row(r));
  }
  visitor.Visit({.name = name,
                 .type = StateType::kInt32,
                 .shape = plain.shape().extents(),
                 .bytes = plain.bytes(),
                 .lent = true});
  for (size_t r = 0; r < rows; ++r) {
    std::copy_n(plain.matrix().Row(r), columns, padded.matrix().Row(r));
  }
}

template <class T>
absl::Status CheckMagnitudes(const std::string& name, const Tensor<T>& tensor, int32_t limit) {
  for (size_t i = 0; i < tensor.size(); ++i) {
    TALLY_RETURN_IF_ERROR(CheckMagnitude(name, i, tensor[i], limit));
  }
  return absl::OkStatus();
}

absl::Status CheckMagnitudes(const std::string& name, const kernels::PackedMatrix<int16_t>& matrix,
                             int32_t limit) {
  for (size_t k = 0; k < matrix.rows(); ++k) {
    for (size_t j = 0; j < matrix.columns(); ++j) {
      TALLY_RETURN_IF_ERROR(CheckMagnitude(name, k * matrix.columns() + j, matrix.At(k, j), limit));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPadded(const std::string& name, size_t columns, const Tensor<int32_t>& padded,
                         int32_t limit) {
  for (size_t r = 0; !padded.empty() && r < padded.matrix().rows; ++r) {
    for (size_t j = 0; j < columns; ++j) {
      TALLY_RETURN_IF_ERROR(
          CheckMagnitude(name, r * columns + j, padded.matrix().Row(r)[j], limit));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void PocketNnLearner::VisitState(StateVisitor& visitor) {
  VisitScalar(visitor, "step", step_);
  network_.input.VisitState(visitor);
  for (size_t l = 0; l < training_.size(); ++l) {
    const std::string prefix = LayerPrefix(l);
    LayerTraining& training = training_[l];
    DenseLayer& layer = network_.layers[l];
    VisitPacked(visitor, prefix + "weight", layer.weights);
    layer.FindWeightMagnitude();
    VisitTensor(visitor, prefix + "bias", layer.bias);
    VisitPacked(visitor, prefix + "feedback", training.feedback);
    VisitPadded(visitor, prefix + "weight_residual", layer.inputs, layer.units,
                training.weight_residual);
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
    status.Update(CheckPadded(prefix + "weight_residual", layer.units, training.weight_residual,
                              residual_limit));
    status.Update(
        CheckMagnitudes(prefix + "bias_residual", training.bias_residual, residual_limit));
  }
  // A restored reference model has its matrices.
  feedback_drawn_ = feedback_drawn_ || step_ > 0;
  return status;
}

}  // namespace tally::pocketnn
