// What a learner does with its deltas: gradient sums, and the update of weights and biases.

#include <algorithm>

#include "core/algorithms/pocketnn/initialise.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/arithmetic/philox.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/gradient.h"
#include "core/kernels/row_table.h"

namespace tally::pocketnn {
namespace {

constexpr uint64_t kInt32Max = 2147483647;

}  // namespace

void PocketNnLearner::PrepareRule() {
  const uint32_t inverse = InverseRateAt(spec_, step_);
  rate_rose_ = step_ > 0 && inverse < InverseRateAt(spec_, step_ - 1);
  if (static_cast<int32_t>(inverse) != rule_.narrow.divisor()) {
    rule_ = kernels::UpdateRule(static_cast<int32_t>(inverse),
                                static_cast<int32_t>(spec_.pocketnn.weight_limit));
  }
}

uint64_t PocketNnLearner::TotalMax(size_t layer, size_t rows) {
  const LayerTraining& training = training_[layer];
  if (Inputs(layer, rows).is_wide() || !training.delta.is_narrow()) return UINT64_MAX;
  const uint64_t product =
      SaturatingMultiply(training.input_magnitude_max, training.delta.magnitude_max());
  return SaturatingAdd(SaturatingMultiply(rows, product), max_inverse_);
}

void PocketNnLearner::UpdateLayer(size_t layer, size_t rows) {
  const DenseLayer& dense = network_.layers[layer];
  const uint64_t total_max = TotalMax(layer, rows);
  if (total_max <= kInt32Max) {
    training_[layer].input_pairs.Set(Inputs(layer, rows).narrow);
    UpdateLines(layer, kernels::UpdateConstants(rule_.narrow.divisor(), rule_.limit, total_max));
  } else {
    const std::span<int64_t> sums = wide_sums_.elements().first(dense.units);
    for (size_t input = 0; input < dense.inputs; ++input) {
      WideSums(layer, input, rows, sums);
      UpdateWeightRow<int64_t>(layer, input, sums);
    }
  }
  UpdateBias(layer, rows);
}

void PocketNnLearner::UpdateLines(size_t layer, const kernels::UpdateConstants& constants) {
  const kernels::InputPairs& inputs = training_[layer].input_pairs;
  if (rate_rose_) {
    // A residual may be larger than the divisor now, and moves its weight without a gradient.
    for (size_t line = 0; line < inputs.lines(); ++line) UpdateLine(layer, line, constants);
    return;
  }
  for (const kernels::PairTerm& active : inputs.active_lines()) {
    UpdateLine(layer, active.line, constants);
  }
}

void PocketNnLearner::UpdateLine(size_t layer, size_t line,
                                 const kernels::UpdateConstants& constants) {
  LayerTraining& training = training_[layer];
  DenseLayer& dense = network_.layers[layer];
  const size_t width = kernels::PaddedColumns(dense.units);
  const std::span<int32_t> sums = line_sums_.elements().first(2 * width);
  training.input_pairs.SumLine(line, training.delta.packed(), sums);
  if (spec_.pocketnn.update_rounding == UpdateRounding::kStochastic) {
    for (size_t i = 0; i < 2 && 2 * line + i < dense.inputs; ++i) {
      UpdateWeightRow<int32_t>(layer, 2 * line + i, sums.subspan(i * width, dense.units));
    }
    return;
  }
  const kernels::RowTable& table = kernels::Rows();
  const kernels::PanelLines<int16_t> weights = {
      dense.weights.Line(0, line), dense.weights.panel_stride(), dense.weights.panels()};
  kernels::UpdateTally tally{.magnitude_max = dense.weight_magnitude};
  if (spec_.pocketnn.update_rounding == UpdateRounding::kErrorFeedback) {
    table.update_with_feedback(constants, sums.data(),
                               training.weight_residual.data() + 2 * line * width, weights, tally);
  } else {
    table.update_toward_zero(constants, sums.data(), weights, tally);
  }
  dense.weight_magnitude = tally.magnitude_max;
  training.counters.clamped_weights += tally.clamped;
}

void PocketNnLearner::WideSums(size_t layer, size_t input, size_t rows, std::span<int64_t> sums) {
  const ConstRows x = Inputs(layer, rows);
  // Made at the first input, good for all.
  DeltaRows& delta = training_[layer].delta;
  const MatrixView<const int64_t> d =
      input == 0 ? delta.Widened(rows) : MatrixView<const int64_t>(delta.rows64(rows));
  if (x.is_wide()) {
    kernels::WideGradientRow(x.wide, input, d, sums);
  } else {
    kernels::WideGradientRow(x.narrow, input, d, sums);
  }
}

template <class Sum>
void PocketNnLearner::UpdateWeightRow(size_t layer, size_t input, std::span<const Sum> sums) {
  LayerTraining& training = training_[layer];
  DenseLayer& dense = network_.layers[layer];
  const std::span<int16_t> weights = weight_row_.elements().first(dense.units);
  for (size_t j = 0; j < dense.units; ++j) weights[j] = dense.weights.At(input, j);
  uint64_t cut = 0;
  switch (spec_.pocketnn.update_rounding) {
    case UpdateRounding::kTowardZero:
      cut = kernels::UpdateTowardZero(rule_, sums, weights);
      break;
    case UpdateRounding::kErrorFeedback: {
      const size_t width = kernels::PaddedColumns(dense.units);
      cut = kernels::UpdateWithErrorFeedback(
          rule_, sums, training.weight_residual.elements().subspan(input * width, dense.units),
          weights);
      break;
    }
    case UpdateRounding::kStochastic: {
      UniformDraws draws(spec_.seed, step_, TensorId(layer, TensorUse::kWeightRounding));
      cut = kernels::UpdateStochastic(rule_, sums, draws, input * dense.units, weights);
      break;
    }
  }
  for (size_t j = 0; j < dense.units; ++j) dense.weights.At(input, j) = weights[j];
  dense.weight_magnitude = std::max(dense.weight_magnitude, kernels::MaxMagnitude(weights));
  training.counters.clamped_weights += cut;
}

void PocketNnLearner::UpdateBias(size_t layer, size_t rows) {
  const std::span<int64_t> sums =
      wide_sums_.elements().first(network_.layers[layer].units);
  training_[layer].delta.SumColumns(rows, sums);
  UpdateBias(layer, sums);
}

void PocketNnLearner::UpdateBias(size_t layer, std::span<const int64_t> sums) {
  LayerTraining& training = training_[layer];
  const auto bias = network_.layers[layer].bias.elements();
  uint64_t cut = 0;
  switch (spec_.pocketnn.update_rounding) {
    case UpdateRounding::kTowardZero:
      cut = kernels::UpdateTowardZero(rule_, sums, bias);
      break;
    case UpdateRounding::kErrorFeedback:
      cut = kernels::UpdateWithErrorFeedback(rule_, sums, training.bias_residual.elements(), bias);
      break;
    case UpdateRounding::kStochastic: {
      UniformDraws draws(spec_.seed, step_, TensorId(layer, TensorUse::kBiasRounding));
      cut = kernels::UpdateStochastic(rule_, sums, draws, 0, bias);
      break;
    }
  }
  training.counters.clamped_weights += cut;
}

void PocketNnLearner::SumAcrossRanks(size_t rows, StepReport& report) {
  std::span<int64_t> rest = shared_sums_.elements();
  for (size_t l = 0; l < training_.size(); ++l) {
    const DenseLayer& layer = network_.layers[l];
    for (size_t input = 0; input < layer.inputs; ++input) {
      WideSums(l, input, rows, rest.first(layer.units));
      rest = rest.subspan(layer.units);
    }
    training_[l].delta.SumColumns(rows, rest.first(layer.units));
    rest = rest.subspan(layer.units);
  }
  rest[0] = report.loss;
  rest[1] = static_cast<int64_t>(report.correct);
  options_.collective->Sum(shared_sums_.elements());
  report.loss = rest[0];
  report.correct = static_cast<uint64_t>(rest[1]);
}

void PocketNnLearner::ApplySums() {
  std::span<const int64_t> rest = shared_sums_.elements();
  for (size_t l = 0; l < training_.size(); ++l) {
    const DenseLayer& layer = network_.layers[l];
    for (size_t input = 0; input < layer.inputs; ++input) {
      UpdateWeightRow<int64_t>(l, input, rest.first(layer.units));
      rest = rest.subspan(layer.units);
    }
    UpdateBias(l, rest.first(layer.units));
    rest = rest.subspan(layer.units);
  }
}

}  // namespace tally::pocketnn
