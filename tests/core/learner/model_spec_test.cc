// Goal: pin the numbers derived from a ModelSpec, and the tie rule of ArgMax.
// Method: hand-computed values at the edges of each range.

#include "core/learner/model_spec.h"

#include <gtest/gtest.h>

#include <array>

#include "core/learner/learner.h"

namespace tally {
namespace {

ModelSpec Mlp() {
  ModelSpec spec;
  spec.input.shape = {28, 28};
  spec.layers = {{100, Activation::kPocketTanh}, {50, Activation::kPocketTanh}, {10, {}}};
  spec.classes = 10;
  spec.batch_size = 20;
  spec.learning_rate = {{0, 1000}, {3000, 2000}, {uint64_t{1} << 40, 7}};
  spec.schedule_steps = 9000;
  return spec;
}

TEST(ModelSpecTest, RowBytesFollowTheElementType) {
  ModelSpec spec = Mlp();
  EXPECT_EQ(spec.InputElements(), 784u);
  EXPECT_EQ(spec.RowBytes(), 784u);
  spec.input.type = ElementType::kInt8;
  EXPECT_EQ(spec.RowBytes(), 784u);
  spec.input.type = ElementType::kInt16;
  EXPECT_EQ(spec.RowBytes(), 1568u);
}

TEST(ModelSpecTest, ParametersAreWeightsAndBiases) {
  EXPECT_EQ(ParameterCount(Mlp()), 784u * 100 + 100 + 100 * 50 + 50 + 50 * 10 + 10);
}

TEST(ModelSpecTest, ParametersOfTheLargestSpecDoNotWrap) {
  ModelSpec spec = Mlp();
  spec.input.shape = {1u << 20};
  spec.layers.assign(64, LayerSpec{65536, Activation::kPocketTanh});
  const uint64_t first = ((uint64_t{1} << 20) + 1) * 65536;
  EXPECT_EQ(ParameterCount(spec), first + 63 * uint64_t{65537} * 65536);
}

TEST(ModelSpecTest, InverseRateChangesExactlyAtItsStep) {
  const ModelSpec spec = Mlp();
  EXPECT_EQ(InverseRateAt(spec, 0), 1000u);
  EXPECT_EQ(InverseRateAt(spec, 2999), 1000u);
  EXPECT_EQ(InverseRateAt(spec, 3000), 2000u);
  EXPECT_EQ(InverseRateAt(spec, (uint64_t{1} << 40) - 1), 2000u);
  EXPECT_EQ(InverseRateAt(spec, uint64_t{1} << 40), 7u);
  EXPECT_EQ(InverseRateAt(spec, UINT64_MAX), 7u);
}

TEST(ModelSpecTest, ScheduleEpochsRoundUpAndAreAtLeastOne) {
  const ModelSpec spec = Mlp();
  EXPECT_EQ(ScheduleEpochs(spec, 60000), 3u);
  EXPECT_EQ(ScheduleEpochs(spec, 59999), 3u) << "the last mini-batch of an epoch may be partial";
  EXPECT_EQ(ScheduleEpochs(spec, 59980), 4u);
  EXPECT_EQ(ScheduleEpochs(spec, 180000), 1u);
  EXPECT_EQ(ScheduleEpochs(spec, 180001), 1u);
  EXPECT_EQ(ScheduleEpochs(spec, 0), 1u);
  EXPECT_EQ(ScheduleEpochs(spec, UINT64_MAX), 1u);
}

TEST(ModelSpecTest, ScheduleEpochsSaturate) {
  ModelSpec spec = Mlp();
  spec.schedule_steps = uint64_t{1} << 40;
  spec.batch_size = 4096;
  EXPECT_EQ(ScheduleEpochs(spec, 1), UINT32_MAX);
}

TEST(ArgMaxTest, TiesGoToTheLowestClass) {
  EXPECT_EQ(ArgMax(std::array<int32_t, 4>{3, 7, 7, 1}), 1u);
  EXPECT_EQ(ArgMax(std::array<int32_t, 3>{INT32_MIN, INT32_MIN, INT32_MIN}), 0u);
  EXPECT_EQ(ArgMax(std::array<int32_t, 3>{INT32_MIN, 0, INT32_MAX}), 2u);
}

}  // namespace
}  // namespace tally
