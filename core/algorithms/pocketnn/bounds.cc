#include "core/algorithms/pocketnn/bounds.h"

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "core/algorithms/input_stage.h"
#include "core/algorithms/pocketnn/activations.h"
#include "core/arithmetic/rounding.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::pocketnn {
namespace {

constexpr uint64_t kLimit = std::numeric_limits<int64_t>::max();

uint64_t MaxInverse(const ModelSpec& spec) {
  uint64_t inverse = 0;
  for (const RatePoint& point : spec.learning_rate) {
    inverse = std::max<uint64_t>(inverse, point.inverse);
  }
  return inverse;
}

void BoundForward(const ModelSpec& spec, NetworkBounds& bounds) {
  uint64_t inputs = spec.InputElements();
  uint64_t magnitude = InputStage::MagnitudeMax(spec);
  for (const LayerSpec& layer : spec.layers) {
    LayerBounds bound;
    bound.input = magnitude;
    const uint64_t products =
        SaturatingMultiply(inputs, SaturatingMultiply(magnitude, spec.pocketnn.weight_limit));
    bound.sum = SaturatingAdd(products, spec.pocketnn.weight_limit);
    bound.output = OutputMagnitudeMax(layer.activation, bound.sum);
    bounds.layers.push_back(bound);
    inputs = layer.units;
    magnitude = bound.output;
  }
}

// Slopes divide and never multiply, so they do not enter.
void BoundDeltas(const ModelSpec& spec, NetworkBounds& bounds) {
  const size_t last = spec.layers.size() - 1;
  const uint64_t error = SaturatingAdd(bounds.layers[last].output, spec.pocketnn.target);
  bounds.layers[last].delta = error;
  for (size_t l = last; l-- > 0;) {
    if (spec.pocketnn.training == CreditAssignment::kDirectFeedback) {
      const uint64_t inputs = l == 0 ? spec.InputElements() : spec.layers[l - 1].units;
      const uint64_t feedback = InitialMagnitude(inputs, spec.layers[l].units);
      bounds.layers[l].delta =
          SaturatingMultiply(spec.classes, SaturatingMultiply(error, feedback));
    } else {
      const uint64_t reached =
          SaturatingMultiply(bounds.layers[l + 1].delta, spec.pocketnn.weight_limit);
      bounds.layers[l].delta = SaturatingMultiply(spec.layers[l + 1].units, reached);
    }
  }
  const uint64_t squares = SaturatingMultiply(error, error) / 2;
  bounds.loss = SaturatingMultiply(spec.batch_size, SaturatingMultiply(spec.classes, squares));
}

std::string Spelled(uint64_t bound) {
  return bound == std::numeric_limits<uint64_t>::max() ? "2^64 or more" : text::StrCat(bound);
}

std::string Place(size_t layer) { return text::StrCat("layers[", layer, "]"); }

absl::Status TooLarge(const std::string& place, std::string_view quantity, uint64_t bound) {
  absl::Status status = absl::InvalidArgumentError(text::StrCat(
      place, ": the worst case of ", quantity, " is ", Spelled(bound), ", above the limit of ",
      kLimit,
      " (int64); reduce pocketnn.weight_limit, batch_size or the number of units, or put an "
      "activation with a bounded output before it"));
  status.SetPayload(kFieldPayloadUrl, absl::Cord(place));
  return status;
}

}  // namespace

uint32_t InitialMagnitude(uint64_t inputs, uint64_t units) {
  constexpr uint64_t kTwelveWeightMaxima = 12 * 32767;
  return std::max(1u, Isqrt(kTwelveWeightMaxima / (inputs + units)));
}

NetworkBounds WorstCase(const ModelSpec& spec) {
  NetworkBounds bounds;
  BoundForward(spec, bounds);
  BoundDeltas(spec, bounds);
  const uint64_t kept =
      spec.pocketnn.update_rounding == UpdateRounding::kErrorFeedback ? MaxInverse(spec) : 0;
  for (LayerBounds& bound : bounds.layers) {
    // A bias sees the input 1.
    const uint64_t product = SaturatingMultiply(std::max<uint64_t>(bound.input, 1), bound.delta);
    bound.gradient = SaturatingAdd(SaturatingMultiply(spec.batch_size, product), kept);
  }
  return bounds;
}

absl::Status CheckBounds(const ModelSpec& spec) {
  const NetworkBounds bounds = WorstCase(spec);
  // In the order of computation, so that the first message names the cause and not a consequence.
  const size_t count = bounds.layers.size();
  for (size_t l = 0; l < count; ++l) {
    if (bounds.layers[l].sum > kLimit) {
      return TooLarge(Place(l), "a weighted sum of its inputs", bounds.layers[l].sum);
    }
  }
  for (size_t l = count; l-- > 0;) {
    if (bounds.layers[l].delta > kLimit) {
      return TooLarge(Place(l), "a delta", bounds.layers[l].delta);
    }
  }
  for (size_t l = 0; l < count; ++l) {
    if (bounds.layers[l].gradient > kLimit) {
      return TooLarge(Place(l), "a gradient sum", bounds.layers[l].gradient);
    }
  }
  if (bounds.loss > kLimit) {
    return TooLarge(Place(count - 1), "the loss of a mini-batch", bounds.loss);
  }
  return absl::OkStatus();
}

}  // namespace tally::pocketnn
