// Goal: worst cases are computed from shapes and ranges, and a network that could leave int64 is
// refused with the numbers. Method: hand-computed bounds of known networks; specs just inside and
// just outside the limit.

#include "core/algorithms/pocketnn/bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/algorithms/algorithms.h"
#include "tests/core/pocketnn/fixtures.h"

namespace tally {
namespace {

using testing::HasSubstr;

TEST(BoundsTest, MnistNetworkHasTheBoundsComputedByHand) {
  // The published settings: raw pixels, target 15, mini-batches of 20, plain truncation.
  const ModelSpec spec = *ZooSpec("pocketnn/reference-mnist");
  const pocketnn::NetworkBounds bounds = pocketnn::WorstCase(spec);
  ASSERT_EQ(bounds.layers.size(), 3u);
  EXPECT_EQ(bounds.layers[0].input, 255u);
  EXPECT_EQ(bounds.layers[0].sum, uint64_t{784} * 255 * 32767 + 32767);
  EXPECT_EQ(bounds.layers[0].output, 127u);
  EXPECT_EQ(bounds.layers[2].delta, 127u + 15);
  EXPECT_EQ(bounds.layers[1].delta, uint64_t{10} * 142 * 51);
  EXPECT_EQ(bounds.layers[0].delta, uint64_t{10} * 142 * 21);
  EXPECT_EQ(bounds.layers[0].gradient, uint64_t{20} * 255 * 10 * 142 * 21);
  EXPECT_EQ(bounds.loss, uint64_t{20} * 10 * (142 * 142 / 2));
}

TEST(BoundsTest, InitialMagnitudesAreThePublishedOnes) {
  EXPECT_EQ(pocketnn::InitialMagnitude(784, 100), 21u);
  EXPECT_EQ(pocketnn::InitialMagnitude(100, 50), 51u);
  EXPECT_EQ(pocketnn::InitialMagnitude(50, 10), 80u);
  EXPECT_EQ(pocketnn::InitialMagnitude(1 << 20, 10), 1u);
}

TEST(BoundsTest, DeepBackPropagationAtFullWeightsIsRefusedWithTheNumbers) {
  ModelSpec spec = *ZooSpec("pocketnn/fashion-mlp");
  spec.pocketnn.training = CreditAssignment::kBackPropagation;
  const absl::Status status = pocketnn::CheckBounds(spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layers[0]: the worst case of a delta is "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("9223372036854775807"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("pocketnn.weight_limit"));
  spec.pocketnn.weight_limit = 500;
  EXPECT_TRUE(pocketnn::CheckBounds(spec).ok()) << pocketnn::CheckBounds(spec);
}

TEST(BoundsTest, BackPropagationThroughTheMnistNetworkFits) {
  ModelSpec spec = *ZooSpec("pocketnn/mnist-mlp");
  spec.pocketnn.training = CreditAssignment::kBackPropagation;
  EXPECT_TRUE(pocketnn::CheckBounds(spec).ok()) << pocketnn::CheckBounds(spec);
}

TEST(BoundsTest, AStackWithoutBoundedOutputsIsRefusedForItsSums) {
  ModelSpec spec = test::SmallSpec(Activation::kAsIs, CreditAssignment::kDirectFeedback);
  for (int i = 0; i < 6; ++i) spec.layers.insert(spec.layers.begin(), spec.layers[0]);
  const absl::Status status = pocketnn::CheckBounds(spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a weighted sum of its inputs"));
}

TEST(BoundsTest, AnUnboundedLastLayerIsRefusedForItsLossOnly) {
  ModelSpec spec = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
  spec.layers.back().activation = Activation::kAsIs;
  spec.batch_size = 4096;
  EXPECT_TRUE(pocketnn::CheckBounds(spec).ok());
  spec.input.shape = {40000};
  spec.layers.erase(spec.layers.begin(), spec.layers.end() - 1);
  const absl::Status status = pocketnn::CheckBounds(spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the loss of a mini-batch"));
}

}  // namespace
}  // namespace tally
