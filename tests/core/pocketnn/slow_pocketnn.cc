#include "tests/core/pocketnn/slow_pocketnn.h"

#include <algorithm>

#include "core/arithmetic/philox.h"

namespace tally::test {
namespace {

int64_t Clip(int64_t x, int64_t low, int64_t high) { return std::max(low, std::min(high, x)); }

struct Activated {
  int64_t value;
  int64_t inverse_slope;  // 0: dead
};

Activated Sigmoidal(int64_t x, bool tanh) {
  if (x < -127) return {tanh ? -127 : 1, 127};
  if (x < -74) return {tanh ? x / 4 - 88 : x / 8 + 20, 8};
  if (x < -31) return {tanh ? x - 32 : x / 2 + 48, 2};
  if (x < 32) return {tanh ? 2 * x : x + 64, 1};
  if (x < 75) return {tanh ? x + 32 : x / 2 + 80, 2};
  if (x < 128) return {tanh ? x / 4 + 88 : x / 8 + 108, 8};
  return {127, 127};
}

Activated Activate(Activation activation, int64_t z, int64_t inputs) {
  switch (activation) {
    case Activation::kPocketTanh:
      return Sigmoidal(z / (256 * inputs), true);
    case Activation::kPocketSigmoid:
      return Sigmoidal(z / 256, false);
    case Activation::kPocketRelu8: {
      const int64_t x = z / 256;
      return x < 0 ? Activated{0, 0} : x > 127 ? Activated{127, 0} : Activated{x, 1};
    }
    case Activation::kPocketLeakyRelu:
      if (z < -32767) return {-32767, 0};
      if (z < 0) return {z / 5, 5};
      return z < 32767 ? Activated{z, 1} : Activated{32767, 0};
    case Activation::kRescale:
      return {z / 256, 1};
    case Activation::kAsIs:
      return {z, 1};
    case Activation::kRelu:  // not PocketNN's
      break;
  }
  return {0, 0};
}

Numbers Uniform(uint64_t seed, uint32_t tensor, size_t count, int64_t magnitude) {
  UniformDraws draws(seed, 0, tensor);
  Numbers numbers;
  for (size_t i = 0; i < count; ++i) {
    const int64_t draw = draws.At(i, static_cast<uint32_t>(2 * magnitude));
    numbers.push_back(draw < magnitude ? draw - magnitude : draw - magnitude + 1);
  }
  return numbers;
}

std::string Name(size_t layer, const std::string& name) {
  return "layer" + std::to_string(layer + 1) + "." + name;
}

}  // namespace

SlowPocketNn::SlowPocketNn(const ModelSpec& spec) : spec_(spec) {
  state["step"] = {0};
  const bool feedback = spec.pocketnn.training == CreditAssignment::kDirectFeedback;
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const size_t weights = Inputs(l) * Units(l);
    const int64_t r = InitialMagnitude(l);
    const int64_t start = std::min<int64_t>(r, spec.pocketnn.weight_limit);
    const auto tensor = static_cast<uint32_t>(8 * l);
    state[Name(l, "weight")] =
        feedback ? Numbers(weights, 0) : Uniform(spec.seed, tensor + 1, weights, start);
    state[Name(l, "bias")] =
        feedback ? Numbers(Units(l), 0) : Uniform(spec.seed, tensor + 2, Units(l), start);
    if (feedback && l + 1 < spec.layers.size()) {
      state[Name(l, "feedback")] = Uniform(spec.seed, tensor + 3, spec.classes * Units(l), r);
    }
    if (spec.pocketnn.update_rounding == UpdateRounding::kErrorFeedback) {
      state[Name(l, "weight_residual")] = Numbers(weights, 0);
      state[Name(l, "bias_residual")] = Numbers(Units(l), 0);
    }
  }
}

size_t SlowPocketNn::Inputs(size_t layer) const {
  return layer == 0 ? spec_.InputElements() : Units(layer - 1);
}

int64_t SlowPocketNn::InitialMagnitude(size_t layer) const {
  const auto quotient = static_cast<int64_t>(393204 / (Inputs(layer) + Units(layer)));
  int64_t root = 0;
  while ((root + 1) * (root + 1) <= quotient) ++root;
  return std::max<int64_t>(1, root);
}

const Numbers& SlowPocketNn::Array(size_t layer, const std::string& name) const {
  return state.at(Name(layer, name));
}

SlowPocketNn::Trace SlowPocketNn::Forward(const Numbers& row) const {
  Trace trace;
  trace.inputs.push_back(row);
  for (size_t l = 0; l < spec_.layers.size(); ++l) {
    Numbers outputs;
    Numbers slopes;
    for (size_t j = 0; j < Units(l); ++j) {
      int64_t z = Array(l, "bias")[j];
      for (size_t i = 0; i < Inputs(l); ++i) {
        z += trace.inputs[l][i] * Array(l, "weight")[i * Units(l) + j];
      }
      const Activated a = Activate(spec_.layers[l].activation, z, static_cast<int64_t>(Inputs(l)));
      outputs.push_back(a.value);
      slopes.push_back(a.inverse_slope);
    }
    trace.inputs.push_back(outputs);
    trace.slopes.push_back(slopes);
  }
  return trace;
}

std::vector<Numbers> SlowPocketNn::Deltas(const Trace& trace, const Numbers& error) const {
  const size_t last = spec_.layers.size() - 1;
  std::vector<Numbers> deltas(spec_.layers.size());
  for (size_t l = last + 1; l-- > 0;) {
    for (size_t j = 0; j < Units(l); ++j) {
      int64_t blame = 0;
      if (l == last) {
        blame = error[j];
      } else if (spec_.pocketnn.training == CreditAssignment::kDirectFeedback) {
        for (size_t c = 0; c < spec_.classes; ++c) {
          blame += error[c] * Array(l, "feedback")[c * Units(l) + j];
        }
      } else {
        for (size_t k = 0; k < Units(l + 1); ++k) {
          blame += deltas[l + 1][k] * Array(l + 1, "weight")[j * Units(l + 1) + k];
        }
      }
      const int64_t slope = trace.slopes[l][j];
      deltas[l].push_back(slope == 0 ? 0 : blame / slope);
    }
  }
  return deltas;
}

void SlowPocketNn::Move(int64_t& weight, int64_t* residual, int64_t sum, uint32_t tensor,
                        uint64_t index) {
  const uint64_t step = static_cast<uint64_t>(state["step"][0]);
  int64_t inverse = 0;
  for (const RatePoint& point : spec_.learning_rate) {
    if (point.from_step <= step) inverse = point.inverse;
  }
  int64_t quotient = sum / inverse;
  if (spec_.pocketnn.update_rounding == UpdateRounding::kErrorFeedback) {
    quotient = (*residual + sum) / inverse;
    *residual = (*residual + sum) % inverse;
  } else if (spec_.pocketnn.update_rounding == UpdateRounding::kStochastic) {
    UniformDraws draws(spec_.seed, step, tensor);
    const int64_t draw = draws.At(index, static_cast<uint32_t>(inverse));
    if (std::abs(sum % inverse) > draw) quotient += sum < 0 ? -1 : 1;
  }
  const int64_t limit = spec_.pocketnn.weight_limit;
  weight = Clip(weight - quotient, -limit, limit);
}

SlowPocketNn::Report SlowPocketNn::TrainStep(const std::vector<Numbers>& rows,
                                             const std::vector<uint32_t>& labels) {
  Report report;
  std::vector<Trace> traces;
  std::vector<std::vector<Numbers>> deltas;
  for (size_t r = 0; r < rows.size(); ++r) {
    traces.push_back(Forward(rows[r]));
    Numbers error = traces.back().inputs.back();
    const auto best = std::max_element(error.begin(), error.end()) - error.begin();
    report.predictions.push_back(static_cast<uint32_t>(best));
    report.correct += static_cast<uint32_t>(best) == labels[r] ? 1 : 0;
    error[labels[r]] -= spec_.pocketnn.target;
    for (const int64_t e : error) report.loss += e * e / 2;
    deltas.push_back(Deltas(traces.back(), error));
  }
  const bool feedback_of_errors = spec_.pocketnn.update_rounding == UpdateRounding::kErrorFeedback;
  for (size_t l = 0; l < spec_.layers.size(); ++l) {
    Numbers& weights = state[Name(l, "weight")];
    Numbers& bias = state[Name(l, "bias")];
    const auto tensor = static_cast<uint32_t>(8 * l);
    for (size_t j = 0; j < Units(l); ++j) {
      for (size_t i = 0; i < Inputs(l); ++i) {
        int64_t sum = 0;
        for (size_t r = 0; r < rows.size(); ++r) sum += traces[r].inputs[l][i] * deltas[r][l][j];
        const size_t index = i * Units(l) + j;
        Move(weights[index],
             feedback_of_errors ? &state[Name(l, "weight_residual")][index] : nullptr, sum,
             tensor + 4, index);
      }
      int64_t sum = 0;
      for (size_t r = 0; r < rows.size(); ++r) sum += deltas[r][l][j];
      Move(bias[j], feedback_of_errors ? &state[Name(l, "bias_residual")][j] : nullptr, sum,
           tensor + 5, j);
    }
  }
  ++state["step"][0];
  return report;
}

Numbers SlowPocketNn::Scores(const Numbers& row) const {
  Numbers scores = Forward(row).inputs.back();
  for (int64_t& score : scores) score = Clip(score, INT32_MIN, INT32_MAX);
  return scores;
}

}  // namespace tally::test
