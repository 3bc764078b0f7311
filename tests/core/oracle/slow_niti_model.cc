#include "tests/core/oracle/slow_niti_model.h"

#include <algorithm>
#include <string>

#include "tests/core/oracle/slow_niti_arithmetic.h"
#include "tests/core/oracle/slow_philox.h"

namespace tally::oracle {
namespace {

constexpr uint32_t kAugmentationTensor = 7;

SlowShape ImageShape(const ModelSpec& spec) {
  const auto& shape = spec.input.shape;
  if (shape.size() == 2) return {shape[0], shape[1], 1};
  if (shape.size() == 3) return {shape[0], shape[1], shape[2]};
  SlowShape flat;
  for (const uint32_t dimension : shape) flat.channels *= dimension;
  return flat;
}

SlowKind KindOf(LayerKind kind) {
  switch (kind) {
    case LayerKind::kDense:
      return SlowKind::kDense;
    case LayerKind::kConv2d:
      return SlowKind::kConvolution;
    case LayerKind::kMaxPool:
      return SlowKind::kMaxPool;
    case LayerKind::kDropout:
      return SlowKind::kDropout;
  }
  std::abort();
}

std::vector<SlowNitiLayer> LayersOf(const ModelSpec& spec) {
  std::vector<SlowNitiLayer> layers;
  for (const LayerSpec& layer : spec.layers) {
    layers.push_back({.kind = KindOf(layer.kind),
                      .units = layer.units,
                      .kernel_height = layer.kernel.height,
                      .kernel_width = layer.kernel.width,
                      .padding_height = layer.padding.height,
                      .padding_width = layer.padding.width,
                      .relu = layer.activation == Activation::kRelu,
                      .drop_permille = layer.drop_permille});
  }
  return layers;
}

SlowNitiOptions OptionsOf(const ModelSpec& spec) {
  return {.fine_weights = spec.niti.weight_bits == 16,
          .loss_rounding = spec.niti.loss_rounding,
          .gradient_bits_min = spec.niti.gradient_bits_min,
          .range_memory = spec.niti.range_memory,
          .decay_bits = spec.niti.decay_bits,
          .softmax = spec.niti.softmax,
          .momentum_bits = spec.niti.momentum_bits,
          .headroom_bits = spec.niti.headroom_bits,
          .batch_size = spec.batch_size,
          .wraps = spec.niti.profile == NitiProfile::kReference,
          .seed = spec.seed};
}

int64_t MuNow(const ModelSpec& spec, uint64_t step) {
  int64_t mu = 0;
  for (const RatePoint& point : spec.learning_rate) {
    if (point.from_step <= step) mu = *point.mu;
  }
  return mu;
}

std::string Name(size_t layer, const std::string& array) {
  return "layer" + std::to_string(layer + 1) + "." + array;
}

}  // namespace

SlowNitiModel::SlowNitiModel(const ModelSpec& spec)
    : spec_(spec), network_(ImageShape(spec), LayersOf(spec), OptionsOf(spec)) {
  if (spec.niti.profile == NitiProfile::kGolden) {
    network_.InitialiseGolden();
  } else {
    network_.InitialiseByDraws();
  }
  for (size_t i = 0; i < spec.preprocessing.mean.size(); ++i) {
    constants_.push_back({spec.preprocessing.mean[i], spec.preprocessing.deviation[i]});
  }
}

void SlowNitiModel::Calibrate(const Matrix& rows) {
  size_t constants = 1;
  if (spec_.preprocessing.scope == PreprocessingScope::kElement) constants = rows[0].size();
  if (spec_.preprocessing.scope == PreprocessingScope::kChannel) {
    constants = spec_.input.shape.back();
  }
  constants_.clear();
  for (size_t c = 0; c < constants; ++c) {
    std::vector<int64_t> elements;
    for (const auto& row : rows) {
      for (size_t i = c; i < row.size(); i += constants) elements.push_back(row[i]);
    }
    constants_.push_back(MeasureDeviation(elements));
  }
}

std::vector<int64_t> SlowNitiModel::Augmented(const std::vector<int64_t>& row,
                                              uint64_t number) const {
  const auto draw = [&](uint64_t index, uint32_t bound) {
    return int64_t{
        SlowDraw({spec_.seed, network_.step(), kAugmentationTensor, 3 * number + index}, bound)};
  };
  const int64_t padding = spec_.augmentation.crop_padding;
  const auto bound = static_cast<uint32_t>(2 * padding + 1);
  const int64_t down = padding == 0 ? 0 : draw(0, bound) - padding;
  const int64_t right = padding == 0 ? 0 : draw(1, bound) - padding;
  const bool flip = spec_.augmentation.horizontal_flip && draw(2, 2) == 1;
  const SlowTensor image{ImageShape(spec_), {}};
  const SlowShape& shape = image.shape;
  std::vector<int64_t> out(row.size(), 0);
  for (int64_t y = 0; y < shape.height; ++y) {
    for (int64_t x = 0; x < shape.width; ++x) {
      const int64_t column = (flip ? shape.width - 1 - x : x) + right;
      if (y + down < 0 || y + down >= shape.height || column < 0 || column >= shape.width) continue;
      for (int64_t c = 0; c < shape.channels; ++c) {
        out[image.at(0, y, x, c)] = row[image.at(0, y + down, column, c)];
      }
    }
  }
  return out;
}

std::vector<int64_t> SlowNitiModel::Standard(const std::vector<int64_t>& row) const {
  std::vector<int64_t> out;
  for (size_t i = 0; i < row.size(); ++i) {
    if (constants_.empty()) {
      out.push_back(Clip127(row[i]));
      continue;
    }
    out.push_back(
        Standardised({row[i]}, constants_[i % constants_.size()], spec_.preprocessing.unit)[0]);
  }
  return out;
}

SlowReport SlowNitiModel::TrainStep(const Matrix& rows, const std::vector<uint32_t>& labels) {
  std::vector<int64_t> batch;
  for (size_t n = 0; n < rows.size(); ++n) {
    const std::vector<int64_t> row = Standard(Augmented(rows[n], n));
    batch.insert(batch.end(), row.begin(), row.end());
  }
  SlowReport report;
  report.correct = network_.TrainStep(batch, labels, MuNow(spec_, network_.step()));
  report.loss = network_.loss();
  report.predictions = network_.predictions();
  return report;
}

std::vector<int64_t> SlowNitiModel::Predict(const std::vector<int64_t>& row) {
  std::vector<int64_t> scores = network_.Forward(Standard(row));
  const int64_t exponent = std::clamp<int64_t>(network_.logits_exponent(), -20, 4);
  for (int64_t& score : scores) score = TimesPowerOfTwo(score, exponent + 20);
  return scores;
}

State SlowNitiModel::state() const {
  State state;
  state["step"] = {static_cast<int64_t>(network_.step())};
  for (const Deviation& constant : constants_) {
    state["input.mean"].push_back(constant.mean);
    state["input.deviation"].push_back(constant.deviation);
  }
  for (size_t l = 0; l < network_.layers(); ++l) {
    const bool fine = spec_.niti.weight_bits == 16;
    state[Name(l, "weights")] = fine ? network_.fine_weights(l) : network_.weights(l);
    if (spec_.niti.momentum_bits > 0) state[Name(l, "velocity")] = network_.velocity(l);
    state[Name(l, "exponent")] = {network_.exponent(l)};
    if (spec_.niti.range_memory == 0) continue;
    state[Name(l, "range")] = {network_.record(l)};
    state[Name(l, "range_age")] = {network_.record_age(l)};
  }
  return state;
}

}  // namespace tally::oracle
