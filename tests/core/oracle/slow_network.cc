#include "tests/core/oracle/slow_network.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "tests/core/oracle/slow_philox.h"

namespace tally::oracle {
namespace {

// Stands for the published INT_MAX, by which every delta becomes 0.
constexpr int64_t kInfinite = -1;

int64_t DivideBySlope(int64_t delta, int64_t slope) {
  return slope == kInfinite ? 0 : delta / slope;
}

struct Point {
  int64_t output = 0;
  int64_t slope = 1;
  bool saturated = false;
};

Point Tanh(int64_t x) {
  if (x < -127) return {-127, 127, true};
  if (x < -74) return {x / 4 - 88, 8};
  if (x < -31) return {x - 32, 2};
  if (x < 32) return {2 * x, 1};
  if (x < 75) return {x + 32, 2};
  if (x < 128) return {x / 4 + 88, 8};
  return {127, 127, true};
}

Point Sigmoid(int64_t x) {
  if (x < -127) return {1, 127, true};
  if (x <= -75) return {x / 8 + 20, 8};
  if (x <= -32) return {x / 2 + 48, 2};
  if (x <= 31) return {x + 64, 1};
  if (x <= 74) return {x / 2 + 80, 2};
  if (x <= 127) return {x / 8 + 108, 8};
  return {127, 127, true};
}

Point LeakyRelu(int64_t z) {
  if (z < -32767) return {-32767, kInfinite, true};
  if (z < 0) return {z / 5, 5};
  if (z < 32767) return {z, 1};
  return {32767, kInfinite, true};
}

Point Relu8(int64_t x) {
  if (x < 0) return {0, kInfinite};
  if (x > 127) return {127, kInfinite, true};
  return {x, 1};
}

Point Activate(Activation activation, int64_t z, int64_t inputs) {
  switch (activation) {
    case Activation::kPocketTanh:
      return Tanh(z / (256 * inputs));
    case Activation::kPocketSigmoid:
      return Sigmoid(z / 256);
    case Activation::kPocketLeakyRelu:
      return LeakyRelu(z);
    case Activation::kPocketRelu8:
      return Relu8(z / 256);
    case Activation::kRescale:
      return {z / 256, 1};
    case Activation::kAsIs:
      return {z, 1};
    case Activation::kRelu:  // not PocketNN's
      break;
  }
  std::abort();
}

Matrix Unflatten(const std::vector<int64_t>& flat, int64_t columns) {
  Matrix matrix;
  for (size_t i = 0; i < flat.size(); i += static_cast<size_t>(columns)) {
    matrix.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i),
                        flat.begin() + static_cast<std::ptrdiff_t>(i) + columns);
  }
  return matrix;
}

std::vector<int64_t> Flatten(const Matrix& matrix) {
  std::vector<int64_t> flat;
  for (const auto& row : matrix) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

std::string Name(size_t layer, const std::string& array) {
  return "layer" + std::to_string(layer + 1) + "." + array;
}

int64_t InverseAt(const ModelSpec& spec, int64_t step) {
  int64_t inverse = 0;
  for (const RatePoint& point : spec.learning_rate) {
    if (static_cast<int64_t>(point.from_step) <= step) inverse = point.inverse;
  }
  return inverse;
}

int64_t CutToInt32(int64_t value) {
  return std::clamp<int64_t>(value, std::numeric_limits<int32_t>::min(),
                             std::numeric_limits<int32_t>::max());
}

// Of the scores as a caller sees them: outputs cut to int32.
uint32_t FirstMaximum(std::vector<int64_t> values) {
  for (int64_t& value : values) value = CutToInt32(value);
  return static_cast<uint32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace

SlowNetwork::SlowNetwork(const ModelSpec& spec, const State& initial) : spec_(spec) {
  int64_t inputs = 1;
  for (const uint32_t dimension : spec.input.shape) inputs *= dimension;
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    SlowLayer layer;
    layer.activation = spec.layers[l].activation;
    layer.inputs = inputs;
    layer.units = spec.layers[l].units;
    layer.weights = Unflatten(initial.at(Name(l, "weight")), layer.units);
    layer.bias = initial.at(Name(l, "bias"));
    if (initial.contains(Name(l, "feedback"))) {
      layer.feedback = Unflatten(initial.at(Name(l, "feedback")), layer.units);
    }
    layer.weight_residuals =
        Matrix(static_cast<size_t>(inputs), std::vector<int64_t>(static_cast<size_t>(layer.units)));
    layer.bias_residuals.resize(static_cast<size_t>(layer.units));
    layers_.push_back(layer);
    inputs = layer.units;
  }
  if (spec.preprocessing.kind == PreprocessingKind::kConstants) {
    mean_.assign(spec.preprocessing.mean.begin(), spec.preprocessing.mean.end());
    deviation_.assign(spec.preprocessing.deviation.begin(), spec.preprocessing.deviation.end());
  }
}

void SlowNetwork::Calibrate(const Matrix& rows) {
  const size_t elements = rows[0].size();
  const bool each = spec_.preprocessing.scope == PreprocessingScope::kElement;
  const size_t constants = each ? elements : 1;
  const auto count = static_cast<int64_t>(each ? rows.size() : rows.size() * elements);
  mean_.assign(constants, 0);
  deviation_.assign(constants, 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < elements; ++i) mean_[each ? i : 0] += row[i];
  }
  for (int64_t& mean : mean_) mean /= count;
  for (const auto& row : rows) {
    for (size_t i = 0; i < elements; ++i) {
      deviation_[each ? i : 0] += std::abs(row[i] - mean_[each ? i : 0]);
    }
  }
  for (int64_t& deviation : deviation_) deviation = std::max<int64_t>(1, deviation / count);
}

std::vector<int64_t> SlowNetwork::Standardise(const std::vector<int64_t>& row) const {
  if (spec_.preprocessing.kind == PreprocessingKind::kNone) return row;
  const bool each = spec_.preprocessing.scope == PreprocessingScope::kElement;
  std::vector<int64_t> out;
  for (size_t i = 0; i < row.size(); ++i) {
    const int64_t mean = mean_[each ? i : 0];
    const int64_t deviation = deviation_[each ? i : 0];
    out.push_back(std::clamp<int64_t>(
        (row[i] - mean) * int64_t{spec_.preprocessing.unit} / deviation, -127, 127));
  }
  return out;
}

void SlowNetwork::Forward(const Matrix& rows) {
  inputs_.clear();
  for (const auto& row : rows) inputs_.push_back(Standardise(row));
  const Matrix* inputs = &inputs_;
  for (SlowLayer& layer : layers_) {
    layer.outputs.clear();
    layer.slopes.clear();
    for (const auto& x : *inputs) {
      std::vector<int64_t> outputs;
      std::vector<int64_t> slopes;
      for (size_t j = 0; j < static_cast<size_t>(layer.units); ++j) {
        int64_t z = layer.bias[j];
        for (size_t i = 0; i < x.size(); ++i) z += x[i] * layer.weights[i][j];
        const Point point = Activate(layer.activation, z, layer.inputs);
        outputs.push_back(point.output);
        slopes.push_back(point.slope);
        layer.saturated += point.saturated ? 1 : 0;
      }
      layer.outputs.push_back(outputs);
      layer.slopes.push_back(slopes);
    }
    inputs = &layer.outputs;
  }
}

Matrix SlowNetwork::Errors(const std::vector<uint32_t>& labels, SlowReport& report) const {
  Matrix errors = layers_.back().outputs;
  for (size_t r = 0; r < errors.size(); ++r) {
    const uint32_t prediction = FirstMaximum(errors[r]);
    report.predictions.push_back(prediction);
    report.correct += prediction == labels[r] ? 1 : 0;
    report.loss += Loss(errors[r], labels[r]);
    errors[r][labels[r]] -= spec_.pocketnn.target;
  }
  return errors;
}

int64_t SlowNetwork::Loss(const std::vector<int64_t>& scores, uint32_t label) const {
  int64_t loss = 0;
  for (size_t c = 0; c < scores.size(); ++c) {
    const int64_t error = scores[c] - (c == label ? int64_t{spec_.pocketnn.target} : 0);
    loss += error * error / 2;
  }
  return loss;
}

Matrix SlowNetwork::Deltas(size_t l, const Matrix& errors, const Matrix& next_deltas) const {
  const SlowLayer& layer = layers_[l];
  const bool last = l + 1 == layers_.size();
  const bool feedback = spec_.pocketnn.training == CreditAssignment::kDirectFeedback;
  Matrix deltas;
  for (size_t r = 0; r < errors.size(); ++r) {
    std::vector<int64_t> row;
    for (size_t j = 0; j < static_cast<size_t>(layer.units); ++j) {
      int64_t blame = 0;
      if (last) {
        blame = errors[r][j];
      } else if (feedback) {
        for (size_t c = 0; c < errors[r].size(); ++c) blame += errors[r][c] * layer.feedback[c][j];
      } else {
        const Matrix& next = layers_[l + 1].weights;
        for (size_t k = 0; k < next_deltas[r].size(); ++k) blame += next_deltas[r][k] * next[j][k];
      }
      row.push_back(DivideBySlope(blame, layer.slopes[r][j]));
    }
    deltas.push_back(row);
  }
  return deltas;
}

int64_t SlowNetwork::Quotient(int64_t sum, int64_t& residual, uint32_t tensor,
                              uint64_t index) const {
  const int64_t inverse = InverseAt(spec_, step_);
  switch (spec_.pocketnn.update_rounding) {
    case UpdateRounding::kTowardZero:
      return sum / inverse;
    case UpdateRounding::kErrorFeedback: {
      residual += sum;
      const int64_t quotient = residual / inverse;
      residual -= quotient * inverse;
      return quotient;
    }
    case UpdateRounding::kStochastic: {
      const DrawAddress address = {spec_.seed, static_cast<uint64_t>(step_), tensor, index};
      const int64_t draw = SlowDraw(address, static_cast<uint32_t>(inverse));
      const int64_t magnitude = std::abs(sum);
      const int64_t up = magnitude % inverse > draw ? 1 : 0;
      const int64_t quotient = magnitude / inverse + up;
      return sum < 0 ? -quotient : quotient;
    }
  }
  std::abort();
}

void SlowNetwork::Apply(int64_t quotient, int64_t& value, SlowLayer& layer) const {
  const int64_t limit = spec_.pocketnn.weight_limit;
  value -= quotient;
  if (value >= -limit && value <= limit) return;
  value = value < 0 ? -limit : limit;
  ++layer.clamped;
}

void SlowNetwork::Update(size_t l, const Matrix& inputs, const Matrix& deltas) {
  SlowLayer& layer = layers_[l];
  const auto tensor = static_cast<uint32_t>(8 * l);
  const auto units = static_cast<size_t>(layer.units);
  for (size_t i = 0; i < static_cast<size_t>(layer.inputs); ++i) {
    for (size_t j = 0; j < units; ++j) {
      int64_t sum = 0;
      for (size_t r = 0; r < inputs.size(); ++r) sum += inputs[r][i] * deltas[r][j];
      const int64_t quotient =
          Quotient(sum, layer.weight_residuals[i][j], tensor + 4, i * units + j);
      Apply(quotient, layer.weights[i][j], layer);
    }
  }
  bool wide = false;
  for (size_t j = 0; j < units; ++j) {
    int64_t sum = 0;
    for (const auto& delta : deltas) {
      sum += delta[j];
      wide = wide || std::abs(delta[j]) > std::numeric_limits<int16_t>::max();
    }
    Apply(Quotient(sum, layer.bias_residuals[j], tensor + 5, j), layer.bias[j], layer);
  }
  layer.wide_steps += wide ? 1 : 0;
}

SlowReport SlowNetwork::TrainStep(const Matrix& rows, const std::vector<uint32_t>& labels) {
  SlowReport report;
  Forward(rows);
  const Matrix errors = Errors(labels, report);
  // All deltas before any update: back-propagation sees the weights as they were.
  std::vector<Matrix> deltas(layers_.size() + 1);
  for (size_t l = layers_.size(); l-- > 0;) deltas[l] = Deltas(l, errors, deltas[l + 1]);
  for (size_t l = 0; l < layers_.size(); ++l) {
    Update(l, l == 0 ? inputs_ : layers_[l - 1].outputs, deltas[l]);
  }
  ++step_;
  return report;
}

std::vector<int64_t> SlowNetwork::Predict(const std::vector<int64_t>& row) {
  std::vector<SlowLayer> kept = layers_;  // predicting leaves no trace
  Forward({row});
  std::vector<int64_t> scores = layers_.back().outputs[0];
  layers_ = std::move(kept);
  for (int64_t& score : scores) score = CutToInt32(score);
  return scores;
}

State SlowNetwork::state() const {
  State state;
  state["step"] = {step_};
  if (spec_.preprocessing.kind != PreprocessingKind::kNone) {
    state["input.mean"] = mean_;
    state["input.deviation"] = deviation_;
  }
  for (size_t l = 0; l < layers_.size(); ++l) {
    const SlowLayer& layer = layers_[l];
    state[Name(l, "weight")] = Flatten(layer.weights);
    state[Name(l, "bias")] = layer.bias;
    if (!layer.feedback.empty()) state[Name(l, "feedback")] = Flatten(layer.feedback);
    if (spec_.pocketnn.update_rounding == UpdateRounding::kErrorFeedback) {
      state[Name(l, "weight_residual")] = Flatten(layer.weight_residuals);
      state[Name(l, "bias_residual")] = layer.bias_residuals;
    }
    state[Name(l, "saturated_activations")] = {layer.saturated};
    state[Name(l, "clamped_weights")] = {layer.clamped};
    state[Name(l, "wide_steps")] = {layer.wide_steps};
  }
  return state;
}

}  // namespace tally::oracle
