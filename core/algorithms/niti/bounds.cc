#include "core/algorithms/niti/bounds.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/cord.h"
#include "core/algorithms/niti/range.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/packed_gemm.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::niti {
namespace {

// Of two int8, the lowest value included.
constexpr uint64_t kProductMax = 128 * 128;
constexpr int32_t kNarrowShiftMax = 31;
constexpr int32_t kWideShiftMax = 62;

// Products in a gradient sum.
uint64_t GradientTerms(const ModelSpec& spec, const LayerShape& shape) {
  return shape.out.height * shape.out.width * spec.batch_size;
}

// Decay adds at most as much again (update.cc: half the range's power of two).
uint64_t GradientMax(const ModelSpec& spec, const LayerShape& shape) {
  const uint64_t sum = SaturatingMultiply(GradientTerms(spec, shape), kProductMax);
  const bool decays = spec.niti.decay_bits != 0 && spec.niti.momentum_bits == 0;
  return !decays ? sum : SaturatingMultiply(sum, 2);
}

int32_t ShiftMax(const ModelSpec& spec, const LayerShape& shape) {
  const int32_t range = GradientRange(GradientMax(spec, shape));
  // momentum.cc shifts in 64 bits, by at most 62, whatever the type of the sums.
  if (spec.niti.momentum_bits != 0) return range;
  int32_t mu = 0;
  for (const RatePoint& point : spec.learning_rate) mu = std::min(mu, point.mu.value_or(0));
  const int32_t floor = static_cast<int32_t>(spec.niti.gradient_bits_min);
  return std::max(range, floor) - mu;
}

absl::Status TooLarge(size_t layer, std::string_view quantity, uint64_t worst, uint64_t limit,
                      std::string_view remedy) {
  const std::string place = text::StrCat("layers[", layer, "]");
  absl::Status status =
      absl::InvalidArgumentError(text::StrCat(place, ": the worst case of ", quantity, " is ",
                                              worst, ", above the limit of ", limit, "; ", remedy));
  status.SetPayload(kFieldPayloadUrl, absl::Cord(place));
  return status;
}

absl::Status CheckLayer(const ModelSpec& spec, size_t layer, const LayerShape& shape) {
  constexpr std::string_view kSmaller = "reduce what enters it, its kernel or its units";
  if (shape.fan_in > kernels::kInt8DepthMax) {
    return TooLarge(layer, "products of int8 in a sum of its outputs", shape.fan_in,
                    kernels::kInt8DepthMax, kSmaller);
  }
  const uint64_t area = shape.fan_in / shape.in.channels;
  const uint64_t back = area * shape.out.channels;
  if (layer > 0 && back > kernels::kInt8DepthMax) {
    return TooLarge(layer, "products of int8 in an error of its inputs", back,
                    kernels::kInt8DepthMax, kSmaller);
  }
  if (const int32_t shift = ShiftMax(spec, shape); shift > kWideShiftMax) {
    return TooLarge(layer, "bits that a gradient is shifted by", static_cast<uint64_t>(shift),
                    static_cast<uint64_t>(kWideShiftMax), "reduce batch_size or raise mu");
  }
  return absl::OkStatus();
}

}  // namespace

bool NeedsWideSums(const ModelSpec& spec, const LayerShape& shape) {
  // The kernel adds up in int32 as well.
  return GradientTerms(spec, shape) > kernels::kInt8DepthMax ||
         GradientMax(spec, shape) > INT32_MAX || ShiftMax(spec, shape) > kNarrowShiftMax;
}

absl::Status CheckBounds(const ModelSpec& spec) {
  const std::vector<LayerShape> shapes = LayerShapes(spec);
  for (size_t l = 0; l < shapes.size(); ++l) {
    if (shapes[l].fan_in != 0) TALLY_RETURN_IF_ERROR(CheckLayer(spec, l, shapes[l]));
  }
  return absl::OkStatus();
}

}  // namespace tally::niti
