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
  CutWeights();
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

Rows PocketNnLearner::Outputs(size_t layer, RowRange rows) {
  LayerTraining& training = training_[layer];
  return network_.layers[layer].activation.wide()
             ? Rows{{}, training.wide_outputs.matrix().SomeRows(rows.first, rows.count)}
             : Rows{training.narrow_outputs.matrix().SomeRows(rows.first, rows.count), {}};
}

ConstRows PocketNnLearner::Inputs(size_t layer, RowRange rows) {
  return layer == 0 ? ConstRows{input_rows_.matrix().SomeRows(rows.first, rows.count), {}}
                    : ToRead(Outputs(layer - 1, rows));
}

StepReport PocketNnLearner::TrainStep(const RowBatch& rows, std::span<const uint32_t> labels) {
  TALLY_CHECK(rows.rows > 0 && rows.rows <= spec_.batch_size && labels.size() == rows.rows);
  if (options_.reference_random != nullptr && !feedback_drawn_) {
    DrawReferenceFeedback();
  }
  PrepareRule();
  StepReport report;
  const size_t parts = CutRows(rows.rows);
  const bool layer_by_layer = spec_.pocketnn.profile == PocketNnProfile::kReference;
  const bool alone = options_.environment.collective == nullptr;
  const auto train_rows = [&](size_t part, size_t) { TrainRows(rows, labels, row_parts_[part]); };
  const auto join_rows = [&] {
    report = JoinRows(parts, rows.rows);
    for (size_t l = 0; alone && !layer_by_layer && l < training_.size(); ++l) {
      BeginUpdate(l, rows.rows);
    }
  };
  const auto update = [&](size_t part, size_t thread) {
    UpdatePart(weight_parts_[part], rows.rows, scratch_[thread]);
  };
  const auto end_update = [&] {
    for (size_t l = 0; l < training_.size(); ++l) EndUpdate(l);
  };
  const WorkerPool::Stage stages[] = {{parts, train_rows, join_rows},
                                      {weight_parts_.size(), update, end_update}};
  Share(std::span(stages).first(alone && !layer_by_layer ? 2 : 1), rows.rows);
  if (!alone) {
    SumAcrossRanks(rows.rows, report);
    ApplySums();
  }
  ++step_;
  return report;
}

uint64_t PocketNnLearner::Bytes(const ModelSpec& spec, size_t threads) {
  const uint64_t batch = spec.batch_size;
  const uint64_t widest = WidestLayer(spec);
  // Names, labels and other small blocks.
  constexpr uint64_t kSmallBlocks = 16384;
  uint64_t bytes = kSmallBlocks + spec.labels.size() * (sizeof(std::string) + 128);
  uint64_t inputs = spec.InputElements();
  uint64_t drawn = 0;  // elements of the largest matrix that is drawn in its plain layout first
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const uint64_t units = spec.layers[l].units;
    if (spec.pocketnn.training == CreditAssignment::kBackPropagation) {
      drawn = std::max(drawn, inputs * units);
    }
    const uint64_t output_bytes =
        HasWideOutput(spec.layers[l].activation) ? sizeof(int64_t) : sizeof(int16_t);
    bytes += kernels::PackedMatrix<int16_t>::Bytes(inputs, units) + units * sizeof(int16_t);
    if (KeepsResiduals(spec)) {
      bytes += ((inputs + 1) / 2 * 2 * kernels::PaddedColumns(units) + units) * sizeof(int32_t);
    }
    if (HasFeedback(spec, l)) {
      bytes += kernels::PackedMatrix<int16_t>::Bytes(spec.classes, units);
      drawn = std::max(drawn, spec.classes * units);
    }
    bytes += batch * units * (output_bytes + sizeof(uint8_t)) + DeltaRows::Bytes(batch, units);
    bytes += kernels::InputPairs::Bytes(batch, inputs);
    bytes += sizeof(DenseLayer) + sizeof(LayerTraining) + sizeof(LayerSpec);
    inputs = units;
  }
  bytes += InputStage::Bytes(spec) + batch * spec.InputElements() * sizeof(int16_t);
  bytes += SumRows::Bytes(batch, widest);
  bytes += threads * UpdateScratch::Bytes(widest, spec.layers.size());
  bytes += DeltaRows::Bytes(batch, spec.classes) + batch * sizeof(uint32_t);
  bytes += drawn * sizeof(int16_t);
  return bytes + sizeof(PocketNnLearner);
}

}  // namespace tally::pocketnn
