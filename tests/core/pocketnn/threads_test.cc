// Goal: any number of threads learns the same as one, to the last bit and counter.
// Method: learners with worker pools of several sizes beside one without, on the same mini-batches,
// full and partial ones; reports and the whole state are compared after every step. Small networks
// are shared out as if they were large. learner_test.cc compares the one without with the formulas.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/algorithms/pocketnn/bounds.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/parallel/worker_pool.h"
#include "tests/core/pocketnn/fixtures.h"

namespace tally {
namespace {

using pocketnn::PocketNnLearner;
using test::ReadState;
using test::Samples;

constexpr size_t kThreads[] = {1, 2, 3, 5, 8};

std::vector<uint32_t> ToVector(std::span<const uint32_t> values) {
  return {values.begin(), values.end()};
}

using Prepare = std::function<void(Learner&)>;

// Returns the counters of the learner without threads.
std::vector<LayerCounters> ExpectSameForAllThreads(
    const ModelSpec& spec, bool share_everything, size_t steps,
    const Prepare& prepare = [](Learner&) {}) {
  EXPECT_TRUE(pocketnn::CheckBounds(spec).ok()) << pocketnn::CheckBounds(spec);
  const Samples samples = test::RandomSamples(spec, 4 * spec.batch_size, 5);
  PocketNnLearner alone(spec, {});
  std::vector<std::unique_ptr<WorkerPool>> pools;
  std::vector<std::unique_ptr<PocketNnLearner>> learners;
  for (const size_t threads : kThreads) {
    pools.push_back(std::make_unique<WorkerPool>(threads));
    learners.push_back(std::make_unique<PocketNnLearner>(
        spec, pocketnn::LearnerOptions{.environment = {.workers = pools.back().get()},
                                       .share_everything = share_everything}));
  }
  prepare(alone);
  for (const auto& learner : learners) prepare(*learner);
  for (size_t step = 0; step < steps; ++step) {
    const size_t count = step % 4 == 3 ? 1 + step % spec.batch_size : spec.batch_size;
    const size_t first = (step * 7) % (3 * spec.batch_size);
    const auto labels = samples.Labels(first, count);
    const StepReport expected = alone.TrainStep(samples.Rows(first, count), labels);
    const auto expected_state = ReadState(alone, true);
    for (size_t i = 0; i < learners.size(); ++i) {
      SCOPED_TRACE(std::to_string(kThreads[i]) + " threads, step " + std::to_string(step));
      const StepReport report = learners[i]->TrainStep(samples.Rows(first, count), labels);
      EXPECT_EQ(report.loss, expected.loss);
      EXPECT_EQ(report.correct, expected.correct);
      EXPECT_EQ(ToVector(report.predictions), ToVector(expected.predictions));
      EXPECT_EQ(ReadState(*learners[i], true), expected_state);
      if (testing::Test::HasFailure()) return {};
    }
  }
  return alone.Counters();
}

using Options = std::tuple<Activation, CreditAssignment, UpdateRounding>;

class ThreadsTest : public testing::TestWithParam<Options> {};

TEST_P(ThreadsTest, LearnTheSameInAnyNumber) {
  const auto& [activation, training, rounding] = GetParam();
  ModelSpec spec = test::SmallSpec(activation, training);
  spec.input.shape = {5, 7};
  spec.layers[0].units = 33;
  spec.batch_size = 13;
  spec.pocketnn.update_rounding = rounding;
  if (pocketnn::HasWideOutput(activation)) spec.learning_rate[0].inverse = 50000;
  while (!pocketnn::CheckBounds(spec).ok()) spec.pocketnn.weight_limit -= 1;
  spec.learning_rate.push_back({.from_step = 7, .inverse = spec.learning_rate[0].inverse / 3});
  ExpectSameForAllThreads(spec, true, 20);
}

std::string NameOf(const testing::TestParamInfo<Options>& info) {
  const auto& [activation, training, rounding] = info.param;
  constexpr const char* kActivations[] = {"Tanh",  "Sigmoid", "LeakyRelu",
                                          "Relu8", "Rescale", "AsIs"};
  constexpr const char* kTraining[] = {"Feedback", "BackPropagation"};
  constexpr const char* kRounding[] = {"TowardZero", "ErrorFeedback", "Stochastic"};
  return std::string(kActivations[static_cast<size_t>(activation)]) +
         kTraining[static_cast<size_t>(training)] + kRounding[static_cast<size_t>(rounding)];
}

INSTANTIATE_TEST_SUITE_P(
    EveryOption, ThreadsTest,
    testing::Combine(testing::Values(Activation::kPocketTanh, Activation::kPocketLeakyRelu,
                                     Activation::kRescale, Activation::kAsIs),
                     testing::Values(CreditAssignment::kDirectFeedback,
                                     CreditAssignment::kBackPropagation),
                     testing::Values(UpdateRounding::kTowardZero, UpdateRounding::kErrorFeedback,
                                     UpdateRounding::kStochastic)),
    NameOf);

// Deltas of some rows fit 16 bits and those of others do not: parts of both kinds in one step.
TEST(ThreadsAndWidthsTest, PartsOfDifferentWidthsLearnTheSame) {
  // The errors lie around 32767, and the weights stay where they are; the residuals collect what
  // the deltas gave.
  ModelSpec spec = test::SmallSpec(Activation::kAsIs, CreditAssignment::kDirectFeedback);
  spec.layers.erase(spec.layers.begin());
  spec.batch_size = 12;
  spec.learning_rate[0].inverse = INT32_MAX;
  spec.pocketnn.weight_limit = 200;
  spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback;
  constexpr size_t kSteps = 40;
  const auto counters = ExpectSameForAllThreads(spec, true, kSteps, [](Learner& learner) {
    test::WriteState(learner, "layer1.weight", test::Numbers(60, 1));
    test::WriteState(learner, "layer2.weight", test::Numbers(15, 8));
  });
  // Most mini-batches of 12 have rows of both kinds, some short ones only narrow ones.
  ASSERT_EQ(counters.size(), 2u);
  EXPECT_GT(counters[1].wide_steps, 0u);
  EXPECT_LT(counters[1].wide_steps, kSteps);
}

// Large enough to be shared out without being told to.
TEST(ThreadsAndSizesTest, ANetworkWorthSharingLearnsTheSame) {
  ModelSpec spec = *ZooSpec("pocketnn/mnist-mlp");
  spec.batch_size = 64;
  ExpectSameForAllThreads(spec, false, 8);
}

TEST(ThreadsAndModelsTest, LearnersMayShareAPool) {
  const ModelSpec spec =
      test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
  const Samples samples = test::RandomSamples(spec, 60, 5);
  const auto train = [&](WorkerPool* workers) {
    PocketNnLearner learner(
        spec, {.environment = {.workers = workers}, .share_everything = workers != nullptr});
    for (size_t step = 0; step < 200; ++step) {
      learner.TrainStep(samples.Rows(step % 54, 6), samples.Labels(step % 54, 6));
    }
    return ReadState(learner, true);
  };
  const auto expected = train(nullptr);
  WorkerPool pool(3);
  std::vector<std::thread> lanes;
  for (int i = 0; i < 3; ++i) lanes.emplace_back([&] { EXPECT_EQ(train(&pool), expected); });
  for (std::thread& lane : lanes) lane.join();
}

}  // namespace
}  // namespace tally
