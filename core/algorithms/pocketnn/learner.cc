// Construction and the mini-batch step; state.cc has what is stored, initialise.cc the first
// values.

#include "core/algorithms/pocketnn/learner.h"

#include <algorithm>

#include "core/algorithms/pocketnn/initialise.h"
#include "core/algorithms/pocketnn/predictor.h"
#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/packed_product.h"

namespace tally::pocketnn {
namespace {

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

int64_t WantedOutput(const ModelSpec& spec, uint32_t label, uint32_t output_class) {
  return output_class == label ? spec.pocketnn.target : 0;
}

// Rows of the target may be longer.
template <class From, class To>
void CopyRows(MatrixView<const From> from, MatrixView<To> to) {
  for (size_t r = 0; r < from.rows; ++r) std::copy_n(from.Row(r), from.columns, to.Row(r));
}

bool KeepsResiduals(const ModelSpec& spec) {
  return spec.pocketnn.update_rounding == UpdateRounding::kErrorFeedback;
}

}  // namespace

PocketNnLearner::PocketNnLearner(const ModelSpec& spec, const LearnerOptions& options)
    : spec_(spec),
      options_(options),
      network_(spec),
      input_rows_(Shape({spec.batch_size, spec.InputElements()})),
      sums_(spec.batch_size, WidestLayer(spec)),
      line_sums_(Shape({2, kernels::PaddedColumns(WidestLayer(spec))})),
      wide_sums_(Shape({WidestLayer(spec)})),
      weight_row_(Shape({WidestLayer(spec)})),
      error_(spec.batch_size, spec.classes),
      predictions_(spec.batch_size),
      rule_(static_cast<int32_t>(InverseRateAt(spec, 0)),
            static_cast<int32_t>(spec.pocketnn.weight_limit)),
      max_inverse_(MaxInverse(spec)) {
  TALLY_CHECK((spec.pocketnn.profile == PocketNnProfile::kReference) ==
              (options.reference_random != nullptr));
  training_.reserve(spec.layers.size());
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    training_.push_back(MakeLayerTraining(l));
  }
  if (options.environment.collective != nullptr) {
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

PocketNnLearner::LayerTraining::LayerTraining(const DenseLayer& layer, size_t batch)
    : slope_codes(Shape({batch, layer.units})),
      delta(batch, layer.units),
      input_pairs(batch, layer.inputs) {}

PocketNnLearner::LayerTraining PocketNnLearner::MakeLayerTraining(size_t layer) const {
  const DenseLayer& dense = network_.layers[layer];
  const size_t batch = spec_.batch_size;
  LayerTraining training(dense, batch);
  if (HasFeedback(spec_, layer)) {
    training.feedback = kernels::PackedMatrix<int16_t>(spec_.classes, dense.units);
  }
  if (KeepsResiduals(spec_)) {
    training.weight_residual =
        Tensor<int32_t>(Shape({2 * dense.weights.lines(), kernels::PaddedColumns(dense.units)}));
    training.bias_residual = Tensor<int32_t>(dense.bias.shape());
  }
  if (dense.activation.wide()) {
    training.wide_outputs = Tensor<int64_t>(Shape({batch, dense.units}));
  } else {
    training.narrow_outputs = Tensor<int16_t>(Shape({batch, dense.units}));
  }
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
  if (options_.environment.collective != nullptr) {
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
        layer.Forward(x, sums_, Outputs(l, count), training.slope_codes.matrix().FirstRows(count),
                      options_.always_wide);
  }
}

StepReport PocketNnLearner::CompareOutputs(size_t rows, std::span<const uint32_t> labels) {
  const Rows outputs = Outputs(training_.size() - 1, rows);
  StepReport report;
  if (outputs.is_wide()) {
    report = Compare<int64_t, int64_t>(outputs.wide, labels, error_.rows64(rows));
    error_.Settle64(rows, options_.always_wide);
  } else {
    report = Compare<int16_t, int32_t>(outputs.narrow, labels, error_.rows32(rows));
    error_.Settle32(rows, options_.always_wide);
  }
  report.predictions = std::span(predictions_).first(rows);
  return report;
}

template <class Output, class Error>
StepReport PocketNnLearner::Compare(MatrixView<const Output> outputs,
                                    std::span<const uint32_t> labels, MatrixView<Error> errors) {
  StepReport report;
  for (size_t r = 0; r < outputs.rows; ++r) {
    TALLY_CHECK(labels[r] < spec_.classes);
    const Output* output = outputs.Row(r);
    // Scores saturate as they do in prediction, so that both choose the same class.
    uint32_t best = 0;
    for (uint32_t c = 0; c < spec_.classes; ++c) {
      if (SaturateToInt32(output[c]) > SaturateToInt32(output[best])) best = c;
      errors.Row(r)[c] = Error{output[c]} - static_cast<Error>(WantedOutput(spec_, labels[r], c));
    }
    predictions_[r] = best;
    report.correct += best == labels[r] ? 1u : 0u;
    report.loss += RowLoss(std::span<const Error>(errors.Row(r), spec_.classes));
  }
  return report;
}

void PocketNnLearner::ComputeDelta(size_t layer, size_t rows) {
  LayerTraining& training = training_[layer];
  DeltaRows& delta = training.delta;
  const std::span<const uint8_t> slopes = training.slope_codes.matrix().FirstRows(rows).elements();
  const bool narrow = Blame(layer, rows);
  for (size_t r = 0; r < rows; ++r) {
    const size_t units = network_.layers[layer].units;
    const std::span<const uint8_t> row = slopes.subspan(r * units, units);
    if (narrow) {
      kernels::DivideBySlopes(row, std::span(delta.rows32(rows).Row(r), units));
    } else {
      kernels::DivideBySlopes(row, std::span(delta.rows64(rows).Row(r), units));
    }
  }
  if (narrow) {
    delta.Settle32(rows, options_.always_wide);
  } else {
    delta.Settle64(rows, options_.always_wide);
  }
  training.counters.wide_steps += delta.is_narrow() ? 0u : 1u;
}

bool PocketNnLearner::Blame(size_t layer, size_t rows) {
  LayerTraining& training = training_[layer];
  DeltaRows& delta = training.delta;
  const bool is_last = layer + 1 == training_.size();
  if (!is_last && !HasFeedback(spec_, layer)) {
    const DenseLayer& above = network_.layers[layer + 1];
    const ConstRows blame = training_[layer + 1].delta.rows(rows);
    if (!options_.always_wide && ProductFitsInt32(blame, above.weight_magnitude, 0)) {
      // Without surplus columns in between: rows of 32-bit deltas may be longer.
      const MatrixView<int32_t> target = sums_.narrow(rows, above.inputs);
      const MatrixView<int32_t> tight = {target.data, rows, above.inputs};
      kernels::MultiplyTransposed(blame.narrow, above.weights, tight);
      CopyRows(MatrixView<const int32_t>(tight), delta.rows32(rows));
      return true;
    }
    if (blame.is_wide()) {
      kernels::WideMultiplyTransposed(blame.wide, above.weights, delta.rows64(rows));
    } else {
      kernels::WideMultiplyTransposed(blame.narrow, above.weights, delta.rows64(rows));
    }
    return false;
  }
  const ConstRows error = error_.rows(rows);
  if (is_last) {
    if (error.is_wide()) {
      CopyRows(error.wide, delta.rows64(rows));
    } else {
      CopyRows(error.narrow, delta.rows32(rows));
    }
    return !error.is_wide();
  }
  if (!options_.always_wide && ProductFitsInt32(error, FeedbackMagnitude(spec_, layer), 0)) {
    kernels::Multiply(error.narrow, training.feedback, delta.rows32(rows));
    return true;
  }
  if (error.is_wide()) {
    kernels::WideMultiply(error.wide, training.feedback, delta.rows64(rows));
  } else {
    kernels::WideMultiply(error.narrow, training.feedback, delta.rows64(rows));
  }
  return false;
}

uint64_t PocketNnLearner::Bytes(const ModelSpec& spec) {
  const uint64_t batch = spec.batch_size;
  const uint64_t widest = WidestLayer(spec);
  // Names, labels and other small blocks.
  constexpr uint64_t kSmallBlocks = 16384;
  uint64_t bytes = kSmallBlocks + spec.labels.size() * (sizeof(std::string) + 128);
  uint64_t inputs = spec.InputElements();
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const uint64_t units = spec.layers[l].units;
    const uint64_t output_bytes =
        HasWideOutput(spec.layers[l].activation) ? sizeof(int64_t) : sizeof(int16_t);
    bytes += kernels::PackedMatrix<int16_t>::Bytes(inputs, units) + units * sizeof(int16_t);
    if (KeepsResiduals(spec)) {
      bytes += ((inputs + 1) / 2 * 2 * kernels::PaddedColumns(units) + units) * sizeof(int32_t);
    }
    if (HasFeedback(spec, l)) {
      bytes += kernels::PackedMatrix<int16_t>::Bytes(spec.classes, units);
    }
    bytes += batch * units * (output_bytes + sizeof(uint8_t)) + DeltaRows::Bytes(batch, units);
    bytes += kernels::InputPairs::Bytes(batch, inputs);
    bytes += sizeof(DenseLayer) + sizeof(LayerTraining) + sizeof(LayerSpec);
    inputs = units;
  }
  bytes += InputStage::Bytes(spec) + batch * spec.InputElements() * sizeof(int16_t);
  bytes += SumRows::Bytes(batch, widest);
  bytes += kernels::PaddedColumns(widest) * 2 * sizeof(int32_t);
  bytes += widest * (sizeof(int64_t) + sizeof(int16_t));
  bytes += DeltaRows::Bytes(batch, spec.classes) + batch * sizeof(uint32_t);
  return bytes + sizeof(PocketNnLearner);
}

}  // namespace tally::pocketnn
