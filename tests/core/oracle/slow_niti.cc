#include "tests/core/oracle/slow_niti.h"

#include <algorithm>
#include <cstdlib>

#include "tests/core/oracle/slow_niti_arithmetic.h"
#include "tests/core/oracle/slow_philox.h"

namespace tally::oracle {
namespace {

constexpr int64_t kInputExponent = -6;
constexpr int64_t kLossShift = 4;
constexpr int64_t kFineBits = 8;
constexpr int64_t kFine = 256;

enum class Use : uint32_t { kWeightStart = 1, kDropout = 2, kLoss = 3 };

uint32_t TensorOf(size_t layer, Use use) {
  return 8 * static_cast<uint32_t>(layer) + static_cast<uint32_t>(use);
}

SlowShape OutputShape(const SlowNitiLayer& layer, const SlowShape& in) {
  if (layer.kind == SlowKind::kMaxPool) {
    return {in.height / layer.kernel_height, in.width / layer.kernel_width, in.channels};
  }
  if (layer.kind == SlowKind::kDropout) return in;
  return {in.height + 2 * layer.padding_height - layer.kernel_height + 1,
          in.width + 2 * layer.padding_width - layer.kernel_width + 1, layer.units};
}

// -n - 7, n the largest integer with 6 * 4^n <= fan_in + fan_out.
int64_t WeightExponent(int64_t fans) {
  int64_t n = 0;
  for (int64_t bound = 6 * 4; bound <= fans; bound *= 4) ++n;
  for (int64_t scaled = fans; scaled < 6; scaled *= 4) --n;
  return -n - 7;
}

// The largest e with 2^e <= sqrt(2) * 1000 / kept: halves up.
int64_t DropoutExponent(int64_t kept) {
  int64_t e = 0;
  while ((kept << (e + 1)) * (kept << (e + 1)) <= int64_t{2} * 1000 * 1000) ++e;
  return e;
}

size_t FirstMaximum(const int64_t* values, size_t count) {
  return static_cast<size_t>(std::max_element(values, values + count) - values);
}

}  // namespace

SlowNiti::SlowNiti(const SlowShape& input, const std::vector<SlowNitiLayer>& layers,
                   const SlowNitiOptions& options)
    : options_(options) {
  SlowShape in = input;
  for (const SlowNitiLayer& spec : layers) {
    State layer;
    layer.spec = spec;
    layer.in = in;
    if (spec.kind == SlowKind::kDense) {
      layer.spec.kernel_height = in.height;
      layer.spec.kernel_width = in.width;
    }
    layer.out = OutputShape(layer.spec, in);
    if (spec.HasWeights()) {
      const int64_t area = layer.spec.kernel_height * layer.spec.kernel_width;
      layer.weights.resize(static_cast<size_t>(spec.units * area * in.channels));
      const bool dense = spec.kind == SlowKind::kDense;
      layer.weight_exponent =
          WeightExponent(area * in.channels + (dense ? spec.units : area * spec.units));
    }
    if (spec.HasWeights()) weighted_.push_back(layers_.size());
    in = layer.out;
    layers_.push_back(layer);
  }
}

void SlowNiti::InitialiseGolden() {
  for (size_t l = 0; l < weighted_.size(); ++l) {
    std::vector<int64_t>& weights = layers_[weighted_[l]].weights;
    for (size_t i = 0; i < weights.size(); ++i) {
      const uint64_t top = SlowSplitMix64((l + 1) * (uint64_t{1} << 32) + i) >> 56;
      const int64_t value = top < 128 ? static_cast<int64_t>(top) : static_cast<int64_t>(top) - 256;
      weights[i] = std::max<int64_t>(value, -127);
    }
  }
}

void SlowNiti::InitialiseByDraws() {
  for (const size_t l : weighted_) {
    State& layer = layers_[l];
    for (size_t i = 0; i < layer.weights.size(); ++i) {
      layer.weights[i] =
          int64_t{SlowDraw({options_.seed, 0, TensorOf(l, Use::kWeightStart), i}, 255)} - 127;
    }
    if (!options_.fine_weights) continue;
    for (int64_t& weight : layer.weights) {
      layer.fine.push_back(TimesPowerOfTwo(weight, kFineBits - options_.headroom_bits));
      weight = PstoShift(layer.fine.back(), kFineBits);
    }
    layer.velocity.assign(layer.fine.size(), 0);
  }
}

// visit(index in the output, index in the input, index in the weights), for every product of a
// convolution; what lies in the padding is 0 and left out.
template <typename Visit>
void SlowNiti::ForEachPair(const State& layer, int64_t samples, const Visit& visit) {
  const SlowTensor in{layer.in, {}};
  const SlowTensor out{layer.out, {}};
  const SlowNitiLayer& spec = layer.spec;
  for (int64_t n = 0; n < samples; ++n) {
    for (int64_t y = 0; y < layer.out.height; ++y) {
      for (int64_t x = 0; x < layer.out.width; ++x) {
        for (int64_t u = 0; u < layer.out.channels; ++u) {
          const size_t target = out.at(n, y, x, u);
          for (int64_t i = 0; i < spec.kernel_height; ++i) {
            const int64_t row = y + i - spec.padding_height;
            if (row < 0 || row >= layer.in.height) continue;
            for (int64_t j = 0; j < spec.kernel_width; ++j) {
              const int64_t column = x + j - spec.padding_width;
              if (column < 0 || column >= layer.in.width) continue;
              const size_t source = in.at(n, row, column, 0);
              const auto weight = static_cast<size_t>(
                  ((u * spec.kernel_height + i) * spec.kernel_width + j) * layer.in.channels);
              visit(target, source, weight);
            }
          }
        }
      }
    }
  }
}

void SlowNiti::Convolve(State& layer) {
  const int64_t samples = layer.input.samples();
  const auto channels = static_cast<size_t>(layer.in.channels);
  layer.output = {layer.out,
                  std::vector<int64_t>(static_cast<size_t>(samples * layer.out.size()), 0)};
  ForEachPair(layer, samples, [&](size_t target, size_t source, size_t weight) {
    for (size_t c = 0; c < channels; ++c) {
      layer.output.values[target] += layer.input.values[source + c] * layer.weights[weight + c];
    }
  });
  layer.trace.max_accumulator = MaxMagnitude(layer.output.values);
  layer.trace.forward_shift = Requantise(layer.output.values, options_.wraps);
}

void SlowNiti::Pool(State& layer) {
  layer.output = {layer.out, {}};
  layer.origin.clear();
  for (int64_t n = 0; n < layer.input.samples(); ++n) {
    for (int64_t y = 0; y < layer.out.height; ++y) {
      for (int64_t x = 0; x < layer.out.width; ++x) {
        for (int64_t c = 0; c < layer.out.channels; ++c) {
          const int64_t top = y * layer.spec.kernel_height;
          const int64_t left = x * layer.spec.kernel_width;
          size_t best = layer.input.at(n, top, left, c);
          for (int64_t i = 0; i < layer.spec.kernel_height; ++i) {
            for (int64_t j = 0; j < layer.spec.kernel_width; ++j) {
              const size_t here = layer.input.at(n, top + i, left + j, c);
              if (layer.input.values[here] > layer.input.values[best]) best = here;
            }
          }
          layer.origin.push_back(best);
          layer.output.values.push_back(layer.input.values[best]);
        }
      }
    }
  }
}

const std::vector<int64_t>& SlowNiti::Forward(const std::vector<int64_t>& rows) {
  Run(rows, false);
  return logits();
}

void SlowNiti::Run(const std::vector<int64_t>& rows, bool training) {
  std::vector<int64_t> values = rows;
  int64_t exponent = kInputExponent;
  for (size_t l = 0; l < layers_.size(); ++l) {
    State& layer = layers_[l];
    layer.input = {layer.in, values};
    layer.input_exponent = exponent;
    if (layer.spec.kind == SlowKind::kMaxPool) {
      Pool(layer);
    } else if (layer.spec.kind == SlowKind::kDropout) {
      exponent += Drop(l, training);
    } else {
      Convolve(layer);
      exponent += layer.weight_exponent + layer.trace.forward_shift;
      layer.trace.exponent = exponent;
    }
    values = layer.output.values;
    if (layer.spec.HasWeights() && layer.spec.relu) {
      for (int64_t& value : values) value = std::max<int64_t>(value, 0);
    }
  }
  logits_exponent_ = exponent;
}

std::vector<int64_t> SlowNiti::LossErrors(const std::vector<uint32_t>& labels) {
  const std::vector<int64_t>& logits = layers_.back().output.values;
  const size_t classes = logits.size() / labels.size();
  std::vector<int64_t> errors;
  loss_ = 0;
  for (size_t n = 0; n < labels.size(); ++n) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(n * classes);
    const std::vector<int64_t> row(begin, begin + static_cast<std::ptrdiff_t>(classes));
    const std::vector<int64_t> gradient = options_.softmax == NitiSoftmax::kFine
                                              ? FineLossGradient(row, logits_exponent_, labels[n])
                                              : LossGradient(row, logits_exponent_, labels[n]);
    loss_ -= gradient[labels[n]];
    for (const int64_t g : gradient) errors.push_back(LossError(g, errors.size()));
  }
  return errors;
}

int64_t SlowNiti::LossError(int64_t g, uint64_t index) const {
  switch (options_.loss_rounding) {
    case LossRounding::kHalfAwayFromZero:
      return RoundShift(g, kLossShift);
    case LossRounding::kPseudoStochastic:
      return PstoShift(g, kLossShift);
    case LossRounding::kStochastic: {
      const int64_t draw =
          SlowDraw({options_.seed, step_, TensorOf(0, Use::kLoss), index}, 1u << kLossShift);
      const int64_t up = std::abs(g) % 16 > draw ? 1 : 0;
      const int64_t magnitude = std::abs(g) / 16 + up;
      return Clip127(g < 0 ? -magnitude : magnitude);
    }
  }
  std::abort();
}

SlowTensor SlowNiti::Unpool(const State& layer, const std::vector<int64_t>& errors) const {
  SlowTensor below{layer.in, std::vector<int64_t>(layer.input.values.size(), 0)};
  for (size_t i = 0; i < errors.size(); ++i) below.values[layer.origin[i]] += errors[i];
  return below;
}

// The gradient of the layer, and the error of its input.
SlowTensor SlowNiti::Backward(State& layer, std::vector<int64_t> errors, bool first) {
  if (layer.spec.relu) {
    for (size_t i = 0; i < errors.size(); ++i) {
      if (layer.output.values[i] <= 0) errors[i] = 0;
    }
  }
  const auto channels = static_cast<size_t>(layer.in.channels);
  SlowTensor below{layer.in, std::vector<int64_t>(layer.input.values.size(), 0)};
  layer.gradient.assign(layer.weights.size(), 0);
  ForEachPair(layer, layer.input.samples(), [&](size_t target, size_t source, size_t weight) {
    const int64_t error = errors[target];
    if (error == 0) return;
    for (size_t c = 0; c < channels; ++c) {
      layer.gradient[weight + c] += error * layer.input.values[source + c];
      below.values[source + c] += error * layer.weights[weight + c];
    }
  });
  layer.trace.error_shift.reset();
  if (!first) layer.trace.error_shift = Requantise(below.values, options_.wraps);
  return below;
}

// The weights in the unit that lies decay_bits below the gradient's range.
void SlowNiti::Decay(State& layer) const {
  const int64_t shift = ActivationRange(MaxMagnitude(layer.gradient)) - options_.decay_bits;
  for (size_t i = 0; i < layer.gradient.size(); ++i) {
    layer.gradient[i] += TimesPowerOfTwo(layer.weights[i], shift);
  }
}

// What the gradient is measured by.
int64_t SlowNiti::Remembered(State& layer, int64_t mu, int64_t shifts) const {
  const int64_t own = layer.trace.range;
  if (options_.range_memory == 0) return own;
  layer.record_age += 1;
  if (own + shifts >= layer.record) {
    layer.record = own + shifts;
    layer.record_age = 0;
  }
  if (layer.record_age == options_.range_memory) {
    layer.record -= 1;
    layer.record_age = 0;
  }
  const int64_t remembered = std::min(layer.record - shifts, 31 + mu);
  return std::max(own, remembered);
}

void SlowNiti::Update(State& layer, int64_t mu, int64_t shifts) const {
  if (options_.decay_bits > 0) Decay(layer);
  layer.trace.max_gradient = MaxMagnitude(layer.gradient);
  layer.trace.range = options_.wraps ? ActivationRange(layer.trace.max_gradient)
                                     : GradientRange(layer.trace.max_gradient);
  if (layer.trace.range == 0) return;
  const int64_t range = Remembered(layer, mu, shifts);
  const int64_t k = std::max(range, options_.gradient_bits_min) - mu;
  for (size_t i = 0; i < layer.weights.size(); ++i) {
    const int64_t g = layer.gradient[i];
    if (layer.fine.empty()) {
      const int64_t step = options_.wraps && k < 1 ? Wrapped(g) : UpdateStep(g, k);
      layer.weights[i] = Clip127(layer.weights[i] - step);
      continue;
    }
    layer.fine[i] = std::clamp(layer.fine[i] - (k >= 1 ? PstoShiftUnclipped(g, k) : g),
                               -127 * kFine, 127 * kFine);
    layer.weights[i] = PstoShift(layer.fine[i], kFineBits);
  }
}

// x * 2^power: see the momentum of the header.
int64_t SlowNiti::Push(int64_t x, int64_t power) {
  constexpr int64_t kMost = 1 << 24;
  if (power < 0)
    return std::clamp(PstoShiftUnclipped(x, std::min<int64_t>(-power, 62)), -kMost, kMost);
  for (int64_t i = 0; i < std::min<int64_t>(power, 31); ++i) x = std::clamp(2 * x, -kMost, kMost);
  return std::clamp(x, -kMost, kMost);
}

void SlowNiti::Descend(State& layer, int64_t mu, int64_t error_exponent) const {
  int64_t batch = 0;
  while (int64_t{2} << batch <= options_.batch_size) ++batch;
  const int64_t gradient_exponent = layer.input_exponent + error_exponent - batch;
  for (size_t i = 0; i < layer.weights.size(); ++i) {
    int64_t& v = layer.velocity[i];
    v -= RoundShiftUnclipped(v, options_.momentum_bits);
    v += Push(layer.gradient[i], mu + gradient_exponent - (layer.weight_exponent - 16));
    if (options_.decay_bits > 0) v += Push(layer.fine[i], 8 + mu - options_.decay_bits);
    layer.fine[i] = std::clamp(layer.fine[i] - PstoShiftUnclipped(v, 8), -127 * kFine, 127 * kFine);
    layer.weights[i] = PstoShift(layer.fine[i], kFineBits);
  }
}

int64_t SlowNiti::Drop(size_t l, bool training) {
  State& layer = layers_[l];
  layer.output = layer.input;
  layer.kept.assign(layer.input.values.size(), 1);
  if (!training) return 0;
  const auto elements = static_cast<size_t>(layer.in.size());
  for (size_t i = 0; i < layer.kept.size(); ++i) {
    const DrawAddress address = {options_.seed, step_, TensorOf(l, Use::kDropout), i % elements};
    layer.kept[i] = SlowDraw(address, 1000) < layer.spec.drop_permille ? 0 : 1;
    layer.output.values[i] *= layer.kept[i];
  }
  return DropoutExponent(1000 - layer.spec.drop_permille);
}

std::vector<int64_t> SlowNiti::PassBack(size_t l, const std::vector<int64_t>& errors) {
  State& layer = layers_[l];
  if (layer.spec.kind == SlowKind::kMaxPool) return Unpool(layer, errors).values;
  if (layer.spec.HasWeights()) return Backward(layer, errors, l == weighted_.front()).values;
  std::vector<int64_t> below = errors;
  for (size_t i = 0; i < below.size(); ++i) below[i] *= layer.kept[i];
  return below;
}

void SlowNiti::UpdateAll(int64_t mu) {
  int64_t shifts = 0;
  int64_t error_exponent = -7;
  for (size_t l = layers_.size(); l-- > 0;) {
    State& layer = layers_[l];
    if (layer.spec.kind == SlowKind::kDropout) {
      error_exponent += DropoutExponent(1000 - layer.spec.drop_permille);
    }
    if (!layer.spec.HasWeights()) continue;
    if (options_.momentum_bits > 0) {
      Descend(layer, mu, error_exponent);
    } else {
      Update(layer, mu, shifts);
    }
    shifts += layer.trace.error_shift.value_or(0);
    error_exponent += layer.trace.error_shift.value_or(0) + layer.weight_exponent;
  }
}

int64_t SlowNiti::TrainStep(const std::vector<int64_t>& rows, const std::vector<uint32_t>& labels,
                            int64_t mu) {
  Run(rows, true);
  const size_t classes = logits().size() / labels.size();
  int64_t correct = 0;
  predictions_.clear();
  for (size_t n = 0; n < labels.size(); ++n) {
    predictions_.push_back(
        static_cast<uint32_t>(FirstMaximum(logits().data() + n * classes, classes)));
    correct += predictions_.back() == labels[n] ? 1 : 0;
  }
  errors_ = LossErrors(labels);
  std::vector<int64_t> errors = errors_;
  for (size_t l = layers_.size(); l-- > 0;) errors = PassBack(l, errors);
  UpdateAll(mu);
  ++step_;
  return correct;
}

}  // namespace tally::oracle
