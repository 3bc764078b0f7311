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
    // A residual may be larger than a divisor that fell, and then moves its weight without a
    // gradient.
    training_[layer].input_pairs.Set(Inputs(layer, rows).narrow, /*all_lines=*/rate_rose_);
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
  LayerTraining& training = training_[layer];
  DenseLayer& dense = network_.layers[layer];
  const kernels::InputPairs& inputs = training.input_pairs;
  if (spec_.pocketnn.update_rounding == UpdateRounding::kStochastic) {
    for (const kernels::PairTerm& active : inputs.active_lines()) {
      UpdateLineStochastically(layer, active.line);
    }
    return;
  }
  const kernels::PackedMatrix<int16_t>& d = training.delta.packed();
  const std::span<const kernels::PairTerm> lines = inputs.active_lines();
  kernels::UpdateTally tally{.magnitude_max = dense.weight_magnitude};
  kernels::Rows().train_lines(
      {lines.data(),
       lines.size(),
       inputs.values(),
       inputs.row_pairs(),
       {d.Line(0, 0), d.panel_stride(), d.panels()},
       line_sums_.data(),
       training.weight_residual.data(),
       {dense.weights.Line(0, 0), dense.weights.panel_stride(), dense.weights.panels()}},
      constants, tally);
  dense.weight_magnitude = tally.magnitude_max;
  training.counters.clamped_weights += tally.clamped;
}

void PocketNnLearner::UpdateLineStochastically(size_t layer, size_t line) {
  const DenseLayer& dense = network_.layers[layer];
  const size_t width = kernels::PaddedColumns(dense.units);
  const std::span<int32_t> sums = line_sums_.elements().first(2 * width);
  training_[layer].input_pairs.SumLine(line, training_[layer].delta.packed(), sums);
  for (size_t i = 0; i < 2 && 2 * line + i < dense.inputs; ++i) {
    UpdateWeightRow<int32_t>(layer, 2 * line + i, sums.subspan(i * width, dense.units));
  }
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
  const DeltaRows& delta = training_[layer].delta;
  const size_t units = network_.layers[layer].units;
  const std::span<int64_t> sums = wide_sums_.elements().first(units);
  delta.SumColumns(rows, sums);
  const uint64_t sum_max = SaturatingMultiply(rows, delta.magnitude_max());
  if (SaturatingAdd(sum_max, max_inverse_) > kInt32Max) {
    UpdateBias<int64_t>(layer, sums);
    return;
  }
  const std::span<int32_t> narrow = line_sums_.elements().first(units);
  for (size_t j = 0; j < units; ++j) narrow[j] = static_cast<int32_t>(sums[j]);
  UpdateBias<int32_t>(layer, narrow);
}

template <class Sum>
void PocketNnLearner::UpdateBias(size_t layer, std::span<const Sum> sums) {
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
  options_.environment.collective->Sum(shared_sums_.elements());
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
    UpdateBias<int64_t>(l, rest.first(layer.units));
    rest = rest.subspan(layer.units);
  }
}

}  // namespace tally::pocketnn
