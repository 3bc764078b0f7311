// Goal: every activation has the published values and inverse slopes, at each joint.
// Method: hand-computed points around the joints; counts of outputs cut at the ends.

#include "core/algorithms/pocketnn/activations.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace tally {
namespace {

using pocketnn::LayerActivation;

struct Point {
  int64_t z;
  int64_t value;
  int inverse_slope;
  bool cut = false;
};

void ExpectPoints(const LayerActivation& activation, const std::vector<Point>& points) {
  for (const Point& point : points) {
    SCOPED_TRACE(testing::Message() << "z " << point.z);
    const std::vector<int64_t> z = {point.z};
    std::vector<uint8_t> slope(1);
    if (activation.wide()) {
      std::vector<int64_t> a(1);
      activation.ApplyWide(z, a, slope);
      EXPECT_EQ(a[0], point.value);
    } else {
      std::vector<int16_t> a(1);
      EXPECT_EQ(activation.Apply(z, a, slope), point.cut ? 1u : 0u);
      EXPECT_EQ(a[0], point.value);
    }
    EXPECT_EQ(kernels::kInverseSlopes.at(slope[0]), point.inverse_slope);
  }
}

TEST(ActivationsTest, PocketTanhHasFiveSegmentsAndDividesByItsInputs) {
  constexpr int64_t kUnit = 256 * 784;
  const LayerActivation tanh(Activation::kPocketTanh, 784, PocketNnProfile::kStandard);
  ExpectPoints(tanh, {{-128 * kUnit, -127, 127, true},
                      {-127 * kUnit - (kUnit - 1), -119, 8},
                      {-127 * kUnit, -119, 8},
                      {-75 * kUnit, -106, 8},
                      {-74 * kUnit, -106, 2},
                      {-32 * kUnit, -64, 2},
                      {-31 * kUnit, -62, 1},
                      {-kUnit + 1, 0, 1},
                      {0, 0, 1},
                      {kUnit, 2, 1},
                      {31 * kUnit, 62, 1},
                      {32 * kUnit - 1, 62, 1},
                      {32 * kUnit, 64, 2},
                      {74 * kUnit, 106, 2},
                      {75 * kUnit, 106, 8},
                      {127 * kUnit, 119, 8},
                      {128 * kUnit, 127, 127, true},
                      {INT64_MAX, 127, 127, true},
                      {INT64_MIN, -127, 127, true}});
}

TEST(ActivationsTest, PocketSigmoidHasFiveSegmentsBetweenOneAnd127) {
  const LayerActivation sigmoid(Activation::kPocketSigmoid, 784, PocketNnProfile::kStandard);
  ExpectPoints(sigmoid, {{-128 * 256, 1, 127, true},
                         {-127 * 256, 5, 8},
                         {-75 * 256, 11, 8},
                         {-74 * 256, 11, 2},
                         {-32 * 256, 32, 2},
                         {-31 * 256, 33, 1},
                         {0, 64, 1},
                         {31 * 256, 95, 1},
                         {32 * 256, 96, 2},
                         {74 * 256, 117, 2},
                         {75 * 256, 117, 8},
                         {127 * 256, 123, 8},
                         {128 * 256, 127, 127, true}});
}

TEST(ActivationsTest, PocketRelu8IsDeadOutsideItsRangeAndCutAtTheTopOnly) {
  const LayerActivation relu(Activation::kPocketRelu8, 784, PocketNnProfile::kStandard);
  ExpectPoints(relu, {{-256, 0, 0},
                      {-255, 0, 1},
                      {0, 0, 1},
                      {127 * 256 + 255, 127, 1},
                      {128 * 256, 127, 0, true},
                      {INT64_MAX, 127, 0, true}});
  const LayerActivation published(Activation::kPocketRelu8, 784, PocketNnProfile::kReference);
  ExpectPoints(published, {{-1, 0, 0}, {0, 0, 1}, {127, 127, 1}, {128, 127, 0, true}});
}

TEST(ActivationsTest, PocketLeakyReluDividesNegativeValuesByFive) {
  const LayerActivation relu(Activation::kPocketLeakyRelu, 784, PocketNnProfile::kStandard);
  ExpectPoints(relu, {{INT64_MIN, -32767, 0, true},
                      {-32768, -32767, 0, true},
                      {-32767, -6553, 5},
                      {-4, 0, 5},
                      {0, 0, 1},
                      {32766, 32766, 1},
                      {32767, 32767, 0, true}});
}

TEST(ActivationsTest, RescaleAndAsIsPassSlopesThrough) {
  const LayerActivation rescale(Activation::kRescale, 784, PocketNnProfile::kStandard);
  ExpectPoints(rescale, {{-257, -1, 1}, {-255, 0, 1}, {INT64_MAX, INT64_MAX / 256, 1}});
  const LayerActivation as_is(Activation::kAsIs, 784, PocketNnProfile::kStandard);
  ExpectPoints(as_is, {{INT64_MIN, INT64_MIN, 1}, {-5, -5, 1}, {INT64_MAX, INT64_MAX, 1}});
}

TEST(ActivationsTest, NoOutputExceedsItsBound) {
  for (const Activation kind : {Activation::kPocketTanh, Activation::kPocketSigmoid,
                                Activation::kPocketRelu8, Activation::kPocketLeakyRelu}) {
    const LayerActivation activation(kind, 10, PocketNnProfile::kStandard);
    std::vector<int64_t> z;
    for (int64_t x = -400000; x <= 400000; ++x) z.push_back(x);
    std::vector<int16_t> a(z.size());
    activation.Apply(z, a, {});
    const auto bound = static_cast<int64_t>(pocketnn::OutputMagnitudeMax(kind, 400000));
    for (const int16_t value : a) ASSERT_LE(std::abs(int64_t{value}), bound);
  }
}

}  // namespace
}  // namespace tally
