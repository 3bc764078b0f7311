#include "core/algorithms/pocketnn/activations.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::pocketnn {
namespace {

using kernels::ActivationTable;

constexpr int64_t kUnit = 256;  // what the published code calls 2^K_BIT

struct Point {
  int32_t value;
  int32_t inverse_slope;
  bool saturated = false;
};

// The inverse slopes are the sigmoid's, as published; those of this curve would be 4, 1 and 1/2.
constexpr Point Tanh(int32_t x) {
  if (x < -127) return {-127, 127, true};
  if (x < -74) return {DivTrunc(x, 4) - 88, 8};
  if (x < -31) return {x - 32, 2};
  if (x < 32) return {2 * x, 1};
  if (x < 75) return {x + 32, 2};
  if (x < 128) return {DivTrunc(x, 4) + 88, 8};
  return {127, 127, true};
}

constexpr Point Sigmoid(int32_t x) {
  if (x < -127) return {1, 127, true};
  if (x < -74) return {DivTrunc(x, 8) + 20, 8};
  if (x < -31) return {DivTrunc(x, 2) + 48, 2};
  if (x < 32) return {x + 64, 1};
  if (x < 75) return {DivTrunc(x, 2) + 80, 2};
  if (x < 128) return {DivTrunc(x, 8) + 108, 8};
  return {127, 127, true};
}

constexpr Point Relu8(int32_t x) {
  if (x < 0) return {0, 0};
  if (x > 127) return {127, 0, true};
  return {x, 1};
}

constexpr ActivationTable Tabulate(Point (*curve)(int32_t)) {
  ActivationTable table;
  for (size_t i = 0; i < ActivationTable::kEntries; ++i) {
    const Point point = curve(static_cast<int32_t>(i) + ActivationTable::kLowest);
    table.points[i] = {static_cast<int16_t>(point.value), kernels::SlopeCode(point.inverse_slope),
                       static_cast<uint8_t>(point.saturated ? 1 : 0)};
  }
  return table;
}

constexpr bool HasCodes(const ActivationTable& table) {
  for (const ActivationTable::Point& point : table.points) {
    if (point.slope_code >= kernels::kInverseSlopes.size()) return false;
  }
  return true;
}

constexpr ActivationTable kTanhTable = Tabulate(Tanh);
constexpr ActivationTable kSigmoidTable = Tabulate(Sigmoid);
constexpr ActivationTable kRelu8Table = Tabulate(Relu8);
static_assert(HasCodes(kTanhTable) && HasCodes(kSigmoidTable) && HasCodes(kRelu8Table));

const ActivationTable* TableOf(Activation activation) {
  switch (activation) {
    case Activation::kPocketTanh:
      return &kTanhTable;
    case Activation::kPocketSigmoid:
      return &kSigmoidTable;
    case Activation::kPocketRelu8:
      return &kRelu8Table;
    default:
      return nullptr;
  }
}

int64_t DivisorOf(Activation activation, uint32_t inputs, PocketNnProfile profile) {
  switch (activation) {
    case Activation::kPocketTanh:
      return kUnit * inputs;
    case Activation::kPocketRelu8:
      return profile == PocketNnProfile::kReference ? 1 : kUnit;
    case Activation::kPocketSigmoid:
    case Activation::kRescale:
      return kUnit;
    case Activation::kPocketLeakyRelu:
    case Activation::kAsIs:
      return 1;
    case Activation::kRelu:  // of other algorithms
      break;
  }
  TALLY_CHECK(false);
}

}  // namespace

bool HasWideOutput(Activation activation) {
  return activation == Activation::kRescale || activation == Activation::kAsIs;
}

uint64_t OutputMagnitudeMax(Activation activation, uint64_t z_max) {
  switch (activation) {
    case Activation::kPocketTanh:
    case Activation::kPocketSigmoid:
    case Activation::kPocketRelu8:
      return 127;
    case Activation::kPocketLeakyRelu:
      return 32767;
    case Activation::kRescale:
      return z_max / static_cast<uint64_t>(kUnit);
    case Activation::kAsIs:
      return z_max;
    case Activation::kRelu:
      break;
  }
  TALLY_CHECK(false);
}

LayerActivation::LayerActivation(Activation activation, uint32_t inputs, PocketNnProfile profile)
    : activation_(activation),
      divider_(DivisorOf(activation, inputs, profile)),
      narrow_divider_(static_cast<int32_t>(std::min<int64_t>(divider_.divisor(), INT32_MAX))),
      table_(TableOf(activation)) {}

uint64_t LayerActivation::Apply(std::span<const int32_t> z, std::span<int16_t> a,
                                std::span<uint8_t> slope_codes) const {
  TALLY_CHECK(!wide());
  return table_ != nullptr ? kernels::ActivateByTable(z, narrow_divider_, *table_, a, slope_codes)
                           : kernels::ActivateLeakyRelu(z, a, slope_codes);
}

uint64_t LayerActivation::Apply(std::span<const int64_t> z, std::span<int16_t> a,
                                std::span<uint8_t> slope_codes) const {
  TALLY_CHECK(!wide());
  return table_ != nullptr ? kernels::ActivateByTable(z, divider_, *table_, a, slope_codes)
                           : kernels::ActivateLeakyRelu(z, a, slope_codes);
}

void LayerActivation::ApplyWide(std::span<const int32_t> z, std::span<int64_t> a,
                                std::span<uint8_t> slope_codes) const {
  TALLY_CHECK(wide());
  kernels::ActivateRescale(z, divider_, a, slope_codes);
}

void LayerActivation::ApplyWide(std::span<const int64_t> z, std::span<int64_t> a,
                                std::span<uint8_t> slope_codes) const {
  TALLY_CHECK(wide());
  kernels::ActivateRescale(z, divider_, a, slope_codes);
}

}  // namespace tally::pocketnn
