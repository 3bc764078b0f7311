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
  if (Inputs(layer, {0, rows}).is_wide() || !training.delta.is_narrow()) return UINT64_MAX;
  const uint64_t product =
      SaturatingMultiply(training.input_magnitude_max, training.delta.magnitude_max());
  return SaturatingAdd(SaturatingMultiply(rows, product), max_inverse_);
}

void PocketNnLearner::UpdateLayer(size_t layer, size_t rows) {
  BeginUpdate(layer, rows);
  for (const WeightPart& part : weight_parts_) {
    if (part.layer == layer) UpdatePart(part, rows, scratch_[0]);
  }
  EndUpdate(layer);
}

void PocketNnLearner::BeginUpdate(size_t layer, size_t rows) {
  DeltaRows& delta = training_[layer].delta;
  if (TotalMax(layer, rows) > kInt32Max && delta.is_narrow()) delta.Widen({0, rows});
  for (UpdateScratch& scratch : scratch_) {
    scratch.tallies[layer] = {.magnitude_max = network_.layers[layer].weight_magnitude};
  }
}

void PocketNnLearner::EndUpdate(size_t layer) {
  DenseLayer& dense = network_.layers[layer];
  for (const UpdateScratch& scratch : scratch_) {
    const kernels::UpdateTally& tally = scratch.tallies[layer];
    dense.weight_magnitude = std::max(dense.weight_magnitude, tally.magnitude_max);
    training_[layer].counters.clamped_weights += tally.clamped;
  }
}

void PocketNnLearner::UpdatePart(const WeightPart& part, size_t rows, UpdateScratch& scratch) {
  const DenseLayer& dense = network_.layers[part.layer];
  const uint64_t total_max = TotalMax(part.layer, rows);
  if (total_max <= kInt32Max) {
    UpdateLines(part, rows,
                kernels::UpdateConstants(rule_.narrow.divisor(), rule_.limit, total_max), scratch);
  } else {
    const std::span<int64_t> sums = scratch.wide_sums.elements().first(dense.units);
    const size_t last = std::min<size_t>(2 * part.lines.last, dense.inputs);
    for (size_t input = 2 * part.lines.first; input < last; ++input) {
      WideSums(part.layer, input, rows, sums);
      UpdateWeightRow<int64_t>(part.layer, input, sums, scratch);
    }
  }
  if (part.lines.first == 0) UpdateBias(part.layer, rows, scratch);
}

void PocketNnLearner::UpdateLines(const WeightPart& part, size_t rows,
                                  const kernels::UpdateConstants& constants,
                                  UpdateScratch& scratch) {
  LayerTraining& training = training_[part.layer];
  DenseLayer& dense = network_.layers[part.layer];
  // A residual may be larger than a divisor that fell, and then moves its weight without a
  // gradient.
  const std::span<const kernels::PairTerm> lines = training.input_pairs.Set(
      Inputs(part.layer, {0, rows}).narrow, part.lines, /*all_active=*/rate_rose_);
  if (spec_.pocketnn.update_rounding == UpdateRounding::kStochastic) {
    for (const kernels::PairTerm& active : lines) {
      UpdateLineStochastically(part.layer, active.line, rows, scratch);
    }
    return;
  }
  const kernels::PackedMatrix<int16_t>& d = training.delta.packed();
  // Counted on this thread's stack: tallies of two threads may share a cache line.
  kernels::UpdateTally tally = scratch.tallies[part.layer];
  kernels::Rows().train_lines(
      {lines.data(),
       lines.size(),
       training.input_pairs.values(),
       rows,
       {d.Line(0, 0), d.panel_stride(), d.panels()},
       scratch.line_sums.data(),
       training.weight_residual.data(),
       {dense.weights.Line(0, 0), dense.weights.panel_stride(), dense.weights.panels()},
       rate_rose_},
      constants, tally);
  scratch.tallies[part.layer] = tally;
}

void PocketNnLearner::UpdateLineStochastically(size_t layer, size_t line, size_t rows,
                                               UpdateScratch& scratch) {
  const DenseLayer& dense = network_.layers[layer];
  const size_t width = kernels::PaddedColumns(dense.units);
  const std::span<int32_t> sums = scratch.line_sums.elements().first(2 * width);
  training_[layer].input_pairs.SumLine(line, rows, training_[layer].delta.packed(), sums);
  for (size_t i = 0; i < 2 && 2 * line + i < dense.inputs; ++i) {
    UpdateWeightRow<int32_t>(layer, 2 * line + i, sums.subspan(i * width, dense.units), scratch);
  }
}

void PocketNnLearner::WideSums(size_t layer, size_t input, size_t rows, std::span<int64_t> sums) {
  const ConstRows x = Inputs(layer, {0, rows});
  const MatrixView<const int64_t> d = training_[layer].delta.wide_rows(rows);
  if (x.is_wide()) {
    kernels::WideGradientRow(x.wide, input, d, sums);
  } else {
    kernels::WideGradientRow(x.narrow, input, d, sums);
  }
}

template <class Sum>
void PocketNnLearner::UpdateWeightRow(size_t layer, size_t input, std::span<const Sum> sums,
                                      UpdateScratch& scratch) {
  LayerTraining& training = training_[layer];
  DenseLayer& dense = network_.layers[layer];
  const std::span<int16_t> weights = scratch.weight_row.elements().first(dense.units);
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
  kernels::UpdateTally& tally = scratch.tallies[layer];
  tally.magnitude_max = std::max(tally.magnitude_max, kernels::MaxMagnitude(weights));
  tally.clamped += cut;
}

void PocketNnLearner::UpdateBias(size_t layer, size_t rows, UpdateScratch& scratch) {
  const DeltaRows& delta = training_[layer].delta;
  const size_t units = network_.layers[layer].units;
  const std::span<int64_t> sums = scratch.wide_sums.elements().first(units);
  delta.SumColumns(rows, sums);
  const uint64_t sum_max = SaturatingMultiply(rows, delta.magnitude_max());
  if (SaturatingAdd(sum_max, max_inverse_) > kInt32Max) {
    UpdateBias<int64_t>(layer, sums, scratch);
    return;
  }
  const std::span<int32_t> narrow = scratch.line_sums.elements().first(units);
  for (size_t j = 0; j < units; ++j) narrow[j] = static_cast<int32_t>(sums[j]);
  UpdateBias<int32_t>(layer, narrow, scratch);
}

template <class Sum>
void PocketNnLearner::UpdateBias(size_t layer, std::span<const Sum> sums, UpdateScratch& scratch) {
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
  scratch.tallies[layer].clamped += cut;
}

void PocketNnLearner::SumAcrossRanks(size_t rows, StepReport& report) {
  std::span<int64_t> rest = shared_sums_.elements();
  for (size_t l = 0; l < training_.size(); ++l) {
    const DenseLayer& layer = network_.layers[l];
    if (training_[l].delta.is_narrow()) training_[l].delta.Widen({0, rows});
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
    BeginUpdate(l, 0);
    for (size_t input = 0; input < layer.inputs; ++input) {
      UpdateWeightRow<int64_t>(l, input, rest.first(layer.units), scratch_[0]);
      rest = rest.subspan(layer.units);
    }
    UpdateBias<int64_t>(l, rest.first(layer.units), scratch_[0]);
    rest = rest.subspan(layer.units);
    EndUpdate(l);
  }
}

}  // namespace tally::pocketnn
