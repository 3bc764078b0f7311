#include "core/learner/model_spec.h"

#include <algorithm>
#include <limits>

#include "core/arithmetic/check.h"
#include "core/learner/layer_shapes.h"

namespace tally {

size_t ElementBytes(ElementType type) { return type == ElementType::kInt16 ? 2 : 1; }

size_t ModelSpec::InputElements() const {
  size_t elements = 1;
  for (const uint32_t dimension : input.shape) elements *= dimension;
  return elements;
}

size_t ModelSpec::RowBytes() const { return InputElements() * ElementBytes(input.type); }

uint64_t ParameterCount(const ModelSpec& spec) {
  // At most 64 layers of (2^22 + 1) * 2^16 parameters: 2^45.
  const bool has_bias = spec.algorithm != kNitiName;
  uint64_t parameters = 0;
  for (const LayerShape& layer : LayerShapes(spec)) {
    parameters += layer.weights();
    if (has_bias && layer.fan_in != 0) parameters += layer.out.channels;
  }
  return parameters;
}

namespace {

const RatePoint& RateAt(const ModelSpec& spec, uint64_t step) {
  TALLY_CHECK(!spec.learning_rate.empty());
  const auto later = std::upper_bound(
      spec.learning_rate.begin(), spec.learning_rate.end(), step,
      [](uint64_t wanted, const RatePoint& point) { return wanted < point.from_step; });
  TALLY_CHECK(later != spec.learning_rate.begin());
  return *std::prev(later);
}

}  // namespace

uint32_t InverseRateAt(const ModelSpec& spec, uint64_t step) { return RateAt(spec, step).inverse; }

int32_t MuAt(const ModelSpec& spec, uint64_t step) {
  const RatePoint& point = RateAt(spec, step);
  TALLY_CHECK(point.mu.has_value());
  return *point.mu;
}

uint32_t ScheduleEpochs(const ModelSpec& spec, uint64_t samples) {
  if (samples == 0) return 1;
  const auto divide_up = [](uint64_t a, uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); };
  // An epoch ends with a flush: its last mini-batch may be partial, and is a step like any other.
  const uint64_t epoch_steps = divide_up(samples, spec.batch_size);
  const uint64_t epochs = divide_up(spec.schedule_steps, epoch_steps);
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(epochs, 1, std::numeric_limits<uint32_t>::max()));
}

}  // namespace tally
