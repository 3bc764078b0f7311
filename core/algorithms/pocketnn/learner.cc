// Construction and the mini-batch step; state.cc has what is stored, initialise.cc the first
// values.

#include "core/algorithms/pocketnn/learner.h"

#include <algorithm>

#include "core/algorithms/pocketnn/initialise.h"
#include "core/algorithms/pocketnn/predictor.h"
#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gradient.h"

namespace tally::pocketnn {
namespace {

constexpr uint64_t kNarrowMax = 32767;
constexpr uint64_t kInt32Max = 2147483647;

uint64_t MaxInverse(const ModelSpec& spec) {
  uint64_t inverse = 1;
  for (const RatePoint& point : spec.learning_rate) {
    inverse = std::max<uint64_t>(inverse, point.inverse);
  }
  return inverse;
}

size_t WidestLayer(const ModelSpec& spec) {
  size_t widest = 0;
  for (const LayerSpec& layer : spec.layers) {
    widest = std::max<size_t>(widest, layer.units);
  }
  return widest;
}

kernels::UpdateRule RuleAt(const ModelSpec& spec, uint64_t step) {
  return kernels::UpdateRule(static_cast<int32_t>(InverseRateAt(spec, step)),
                             static_cast<int32_t>(spec.pocketnn.weight_limit));
}

bool KeepsResiduals(const ModelSpec& spec) {
  return spec.pocketnn.update_rounding == UpdateRounding::kErrorFeedback;
}

}  // namespace

DeltaRows::DeltaRows(size_t rows_max, size_t columns)
    : wide_(Shape({rows_max, columns})), narrow_(Shape({rows_max, columns})) {}

uint64_t DeltaRows::Bytes(uint64_t rows_max, uint64_t columns) {
  return rows_max * columns * (sizeof(int64_t) + sizeof(int16_t));
}

void DeltaRows::Settle(size_t rows, bool always_wide) {
  const auto values = wide(rows).elements();
  magnitude_max_ = kernels::MaxMagnitude(values);
  is_narrow_ = magnitude_max_ <= kNarrowMax && !always_wide;
  if (is_narrow_) {
    kernels::Narrow(values, narrow_.elements().first(values.size()));
  }
}

ConstRows DeltaRows::rows(size_t count) const {
  return is_narrow_ ? ConstRows{narrow_.matrix().FirstRows(count), {}}
                    : ConstRows{{}, wide_.matrix().FirstRows(count)};
}

PocketNnLearner::PocketNnLearner(const ModelSpec& spec, const LearnerOptions& options)
    : spec_(spec),
      options_(options),
      network_(spec),
      input_rows_(Shape({spec.batch_size, spec.InputElements()})),
      z_(Shape({spec.batch_size, WidestLayer(spec)})),
      narrow_sums_(Shape({WidestLayer(spec)})),
      wide_sums_(Shape({WidestLayer(spec)})),
      error_(spec.batch_size, spec.classes),
      predictions_(spec.batch_size),
      rule_(RuleAt(spec, 0)),
      max_inverse_(MaxInverse(spec)) {
  TALLY_CHECK((spec.pocketnn.profile == PocketNnProfile::kReference) ==
              (options.reference_random != nullptr));
  training_.reserve(spec.layers.size());
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    training_.push_back(MakeLayerTraining(l));
  }
  if (options.collective != nullptr) {
    // Every weight and bias, then the step's loss and count of correct rows.
    shared_sums_ = Tensor<int64_t>(Shape({ParameterCount(spec) + 2}));
  }
  if (options.reference_random != nullptr) {
    DrawReferenceWeights();
  } else {
    InitialiseWeights();
    InitialiseFeedback();
  }
}

PocketNnLearner::LayerTraining PocketNnLearner::MakeLayerTraining(size_t layer) const {
  const DenseLayer& dense = network_.layers[layer];
  const size_t batch = spec_.batch_size;
  LayerTraining training(batch, dense.units);
  if (HasFeedback(spec_, layer)) {
    training.feedback = Tensor<int16_t>(Shape({spec_.classes, dense.units}));
  }
  if (KeepsResiduals(spec_)) {
    training.weight_residual = Tensor<int32_t>(dense.weights.shape());
    training.bias_residual = Tensor<int32_t>(dense.bias.shape());
  }
  if (dense.activation.wide()) {
    training.wide_outputs = Tensor<int64_t>(Shape({batch, dense.units}));
  } else {
    training.narrow_outputs = Tensor<int16_t>(Shape({batch, dense.units}));
  }
  training.inverse_slopes = Tensor<uint8_t>(Shape({batch, dense.units}));
  return training;
}

uint32_t PocketNnLearner::calibration_samples_wanted() const {
  return network_.input.calibration_samples_wanted();
}

void PocketNnLearner::Calibrate(const RowBatch& rows) {
  network_.input.Calibrate(rows, input_rows_.elements().first(spec_.InputElements()));
}

std::unique_ptr<const Predictor> PocketNnLearner::MakePredictor() const {
  return std::make_unique<PocketNnPredictor>(spec_, network_);
}

std::vector<LayerCounters> PocketNnLearner::Counters() const {
  std::vector<LayerCounters> counters;
  counters.reserve(training_.size());
  for (const LayerTraining& layer : training_) {
    counters.push_back(layer.counters);
  }
  return counters;
}

Rows PocketNnLearner::Outputs(size_t layer, size_t rows) {
  LayerTraining& training = training_[layer];
  return network_.layers[layer].activation.wide()
             ? Rows{{}, training.wide_outputs.matrix().FirstRows(rows)}
             : Rows{training.narrow_outputs.matrix().FirstRows(rows), {}};
}

ConstRows PocketNnLearner::Inputs(size_t layer, size_t rows) {
  return layer == 0 ? ConstRows{input_rows_.matrix().FirstRows(rows), {}}
                    : ToRead(Outputs(layer - 1, rows));
}

StepReport PocketNnLearner::TrainStep(const RowBatch& rows, std::span<const uint32_t> labels) {
  TALLY_CHECK(rows.rows > 0 && rows.rows <= spec_.batch_size && labels.size() == rows.rows);
  if (options_.reference_random != nullptr && !feedback_drawn_) {
    DrawReferenceFeedback();
  }
  PrepareRule();
  Forward(rows);
  StepReport report = CompareOutputs(rows.rows, labels);
  // The published program goes layer by layer: under back-propagation a layer sees the weights
  // above it as they are after their update.
  const bool layer_by_layer = spec_.pocketnn.profile == PocketNnProfile::kReference;
  for (size_t l = training_.size(); l-- > 0;) {
    ComputeDelta(l, rows.rows);
    if (layer_by_layer) {
      UpdateLayer(l, rows.rows);
    }
  }
  if (options_.collective != nullptr) {
    SumAcrossRanks(rows.rows, report);
    ApplySums();
  } else if (!layer_by_layer) {
    for (size_t l = 0; l < training_.size(); ++l) {
      UpdateLayer(l, rows.rows);
    }
  }
  ++step_;
  return report;
}

void PocketNnLearner::Forward(const RowBatch& rows) {
  const size_t count = rows.rows;
  network_.input.Read(rows, input_rows_.matrix().FirstRows(count));
  for (size_t l = 0; l < training_.size(); ++l) {
    const DenseLayer& layer = network_.layers[l];
    LayerTraining& training = training_[l];
    const ConstRows x = Inputs(l, count);
    training.input_magnitude_max = x.is_wide() ? kernels::MaxMagnitude(x.wide.elements())
                                               : kernels::MaxMagnitude(x.narrow.elements());
    training.counters.saturated_activations +=
        layer.Forward(x, {z_.data(), count, layer.units}, Outputs(l, count),
                      training.inverse_slopes.matrix().FirstRows(count));
  }
}

StepReport PocketNnLearner::CompareOutputs(size_t rows, std::span<const uint32_t> labels) {
  StepReport report;
  const ConstRows outputs = ToRead(Outputs(training_.size() - 1, rows));
  const MatrixView<int64_t> errors = error_.wide(rows);
  for (size_t r = 0; r < rows; ++r) {
    TALLY_CHECK(labels[r] < spec_.classes);
    // Scores saturate as they do in prediction, so that both choose the same class.
    uint32_t best = 0;
    int32_t best_score = SaturateToInt32(OutputAt(outputs, r, 0));
    for (uint32_t c = 0; c < spec_.classes; ++c) {
      const int64_t output = OutputAt(outputs, r, c);
      if (SaturateToInt32(output) > best_score) {
        best = c;
        best_score = SaturateToInt32(output);
      }
      errors.Row(r)[c] = output - (c == labels[r] ? int64_t{spec_.pocketnn.target} : 0);
    }
    predictions_[r] = best;
    report.correct += best == labels[r] ? 1u : 0u;
    report.loss += RowLoss({errors.Row(r), spec_.classes});
  }
  error_.Settle(rows, options_.always_wide);
  report.predictions = std::span(predictions_).first(rows);
  return report;
}

void PocketNnLearner::ComputeDelta(size_t layer, size_t rows) {
  LayerTraining& training = training_[layer];
  const MatrixView<int64_t> delta = training.delta.wide(rows);
  if (layer + 1 == training_.size()) {
    const auto errors = error_.wide(rows).elements();
    std::copy(errors.begin(), errors.end(), delta.data);
  } else if (HasFeedback(spec_, layer)) {
    const auto limit = static_cast<int32_t>(FeedbackMagnitude(spec_, layer));
    Multiply(error_.rows(rows), std::as_const(training.feedback).matrix(), limit, delta);
  } else {
    const DenseLayer& above = network_.layers[layer + 1];
    const ConstRows blame = training_[layer + 1].delta.rows(rows);
    if (blame.is_wide()) {
      kernels::WideGemmTransposed(blame.wide, above.weights.matrix(), delta);
    } else {
      kernels::GemmTransposed(blame.narrow, above.weights.matrix(), above.weight_limit, delta);
    }
  }
  kernels::DivideBySlopes(training.inverse_slopes.matrix().FirstRows(rows).elements(),
                          delta.elements());
  training.delta.Settle(rows, options_.always_wide);
  training.counters.wide_steps += training.delta.is_narrow() ? 0u : 1u;
}

void PocketNnLearner::PrepareRule() {
  const uint32_t inverse = InverseRateAt(spec_, step_);
  rate_rose_ = step_ > 0 && inverse < InverseRateAt(spec_, step_ - 1);
  if (static_cast<int32_t>(inverse) != rule_.narrow.divisor()) {
    rule_ = RuleAt(spec_, step_);
  }
}

bool PocketNnLearner::SumsFitInt32(size_t layer, size_t rows) const {
  const LayerTraining& training = training_[layer];
  const uint64_t product =
      SaturatingMultiply(training.input_magnitude_max, training.delta.magnitude_max());
  return SaturatingAdd(SaturatingMultiply(rows, product), max_inverse_) <= kInt32Max;
}

void PocketNnLearner::WideSums(size_t layer, size_t input, size_t rows, std::span<int64_t> sums) {
  LayerTraining& training = training_[layer];
  const ConstRows x = Inputs(layer, rows);
  const ConstRows d = training.delta.rows(rows);
  if (x.is_wide()) {
    kernels::WideGradientRow(x.wide, input, training.delta.wide(rows), sums);
  } else if (d.is_wide()) {
    kernels::WideGradientRow(x.narrow, input, d.wide, sums);
  } else {
    const uint64_t product = training.input_magnitude_max * training.delta.magnitude_max();
    const size_t run = product == 0 ? rows : static_cast<size_t>(kInt32Max / product);
    kernels::GradientRowInRuns(x.narrow, input, d.narrow, run,
                               narrow_sums_.elements().first(sums.size()), sums);
  }
}

void PocketNnLearner::UpdateLayer(size_t layer, size_t rows) {
  const DenseLayer& dense = network_.layers[layer];
  const ConstRows x = Inputs(layer, rows);
  const ConstRows d = training_[layer].delta.rows(rows);
  const bool in_int32 = !x.is_wide() && !d.is_wide() && SumsFitInt32(layer, rows);
  const std::span<int32_t> sums32 = narrow_sums_.elements().first(dense.units);
  const std::span<int64_t> sums64 = wide_sums_.elements().first(dense.units);
  for (size_t input = 0; input < dense.inputs; ++input) {
    if (!in_int32) {
      WideSums(layer, input, rows, sums64);
      UpdateWeightRow<int64_t>(layer, input, sums64);
    } else if (kernels::GradientRow(x.narrow, input, d.narrow, sums32)) {
      UpdateWeightRow<int32_t>(layer, input, sums32);
    } else if (rate_rose_) {
      // Without a gradient nothing moves, unless a residual has become larger than the divisor.
      std::fill(sums32.begin(), sums32.end(), 0);
      UpdateWeightRow<int32_t>(layer, input, sums32);
    }
  }
  kernels::ColumnSums(training_[layer].delta.wide(rows), sums64);
  UpdateBias(layer, sums64);
}

template <class Sum>
void PocketNnLearner::UpdateWeightRow(size_t layer, size_t input, std::span<const Sum> sums) {
  LayerTraining& training = training_[layer];
  const size_t first = input * sums.size();
  const auto weights = network_.layers[layer].weights.elements().subspan(first, sums.size());
  uint64_t cut = 0;
  switch (spec_.pocketnn.update_rounding) {
    case UpdateRounding::kTowardZero:
      cut = kernels::UpdateTowardZero(rule_, sums, weights);
      break;
    case UpdateRounding::kErrorFeedback:
      cut = kernels::UpdateWithErrorFeedback(
          rule_, sums, training.weight_residual.elements().subspan(first, sums.size()), weights);
      break;
    case UpdateRounding::kStochastic: {
      UniformDraws draws(spec_.seed, step_, TensorId(layer, TensorUse::kWeightRounding));
      cut = kernels::UpdateStochastic(rule_, sums, draws, first, weights);
      break;
    }
  }
  training.counters.clamped_weights += cut;
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
    kernels::ColumnSums(training_[l].delta.wide(rows), rest.first(layer.units));
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

uint64_t PocketNnLearner::Bytes(const ModelSpec& spec) {
  const uint64_t batch = spec.batch_size;
  const uint64_t widest = WidestLayer(spec);
  // A residual beside each weight under error feedback.
  const uint64_t parameter_bytes = sizeof(int16_t) + (KeepsResiduals(spec) ? sizeof(int32_t) : 0);
  // Names, labels and other small blocks.
  constexpr uint64_t kSmallBlocks = 16384;
  uint64_t bytes = kSmallBlocks + spec.labels.size() * (sizeof(std::string) + 128);
  bytes += ParameterCount(spec) * parameter_bytes;
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const uint64_t units = spec.layers[l].units;
    const uint64_t output_bytes =
        HasWideOutput(spec.layers[l].activation) ? sizeof(int64_t) : sizeof(int16_t);
    bytes += HasFeedback(spec, l) ? spec.classes * units * sizeof(int16_t) : 0;
    bytes += batch * units * (output_bytes + sizeof(uint8_t)) + DeltaRows::Bytes(batch, units);
    bytes += sizeof(DenseLayer) + sizeof(LayerTraining) + sizeof(LayerSpec);
  }
  bytes += InputStage::Bytes(spec) + batch * spec.InputElements() * sizeof(int16_t);
  bytes += batch * widest * sizeof(int64_t) + widest * (sizeof(int32_t) + sizeof(int64_t));
  bytes += DeltaRows::Bytes(batch, spec.classes) + batch * sizeof(uint32_t);
  return bytes + sizeof(PocketNnLearner);
}

}  // namespace tally::pocketnn
