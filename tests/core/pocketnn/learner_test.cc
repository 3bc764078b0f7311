// Goal: the learner computes PocketNN's formulas exactly, for every option of the spec.
// Method: whole training runs of small networks against a slow implementation of the formulas; the
// whole state is compared after every step.

#include "core/algorithms/pocketnn/learner.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/algorithms/pocketnn/bounds.h"
#include "core/kernels/level.h"
#include "tests/core/pocketnn/fixtures.h"
#include "tests/core/pocketnn/slow_pocketnn.h"

namespace tally {
namespace {

using pocketnn::LearnerOptions;
using pocketnn::PocketNnLearner;
using test::Numbers;
using test::ReadState;
using test::Samples;
using test::SlowPocketNn;

// The largest weight limit with which the spec is accepted: outputs without bounds need small
// weights to keep every sum within int64, and the tests want to be near that edge.
void ShrinkUntilBounded(ModelSpec& spec) {
  while (!pocketnn::CheckBounds(spec).ok() && spec.pocketnn.weight_limit > 1) {
    spec.pocketnn.weight_limit -= 1 + spec.pocketnn.weight_limit / 64;
  }
  ASSERT_TRUE(pocketnn::CheckBounds(spec).ok()) << pocketnn::CheckBounds(spec);
}

std::vector<Numbers> RowsOf(const Samples& samples, size_t first, size_t count) {
  return {samples.rows.begin() + static_cast<ptrdiff_t>(first),
          samples.rows.begin() + static_cast<ptrdiff_t>(first + count)};
}

// Trains both on the same mini-batches, full and partial ones, and compares everything.
void ExpectSameTraining(const ModelSpec& spec, const LearnerOptions& options, size_t steps) {
  ASSERT_TRUE(pocketnn::CheckBounds(spec).ok()) << pocketnn::CheckBounds(spec);
  const Samples samples = test::RandomSamples(spec, 40, 5);
  PocketNnLearner learner(spec, options);
  SlowPocketNn slow(spec);
  ASSERT_EQ(ReadState(learner), slow.state) << "before the first step";
  for (size_t step = 0; step < steps; ++step) {
    const size_t count = step % 4 == 3 ? 1 + step % spec.batch_size : spec.batch_size;
    const size_t first = (step * 7) % (samples.labels.size() - spec.batch_size);
    const auto labels = samples.Labels(first, count);
    const StepReport report = learner.TrainStep(samples.Rows(first, count), labels);
    const SlowPocketNn::Report expected =
        slow.TrainStep(RowsOf(samples, first, count), {labels.begin(), labels.end()});
    ASSERT_EQ(report.loss, expected.loss) << "step " << step;
    ASSERT_EQ(report.correct, expected.correct) << "step " << step;
    ASSERT_EQ(std::vector<uint32_t>(report.predictions.begin(), report.predictions.end()),
              expected.predictions);
    ASSERT_EQ(ReadState(learner), slow.state) << "after step " << step;
  }
  std::vector<int32_t> scores(samples.labels.size() * spec.classes);
  learner.MakePredictor()->Predict(samples.Rows(0, samples.labels.size()), scores);
  for (size_t r = 0; r < samples.labels.size(); ++r) {
    const auto row = scores.begin() + static_cast<ptrdiff_t>(r * spec.classes);
    ASSERT_EQ(Numbers(row, row + spec.classes), slow.Scores(samples.rows[r])) << "row " << r;
  }
}

constexpr Activation kActivations[] = {Activation::kPocketTanh,      Activation::kPocketSigmoid,
                                       Activation::kPocketLeakyRelu, Activation::kPocketRelu8,
                                       Activation::kRescale,         Activation::kAsIs};
constexpr const char* kActivationNames[] = {"Tanh",  "Sigmoid", "LeakyRelu",
                                            "Relu8", "Rescale", "AsIs"};

using Options = std::tuple<Activation, CreditAssignment, UpdateRounding, bool>;

class LearnerTest : public testing::TestWithParam<Options> {};

std::string NameOf(const testing::TestParamInfo<Options>& info) {
  const auto& [activation, training, rounding, wide] = info.param;
  constexpr const char* kTraining[] = {"Feedback", "BackPropagation"};
  constexpr const char* kRounding[] = {"TowardZero", "ErrorFeedback", "Stochastic"};
  return std::string(kActivationNames[static_cast<size_t>(activation)]) +
         kTraining[static_cast<size_t>(training)] + kRounding[static_cast<size_t>(rounding)] +
         (wide ? "Wide" : "");
}

TEST_P(LearnerTest, TrainsAsTheFormulasSay) {
  const auto& [activation, training, rounding, wide] = GetParam();
  ModelSpec spec = test::SmallSpec(activation, training);
  spec.pocketnn.update_rounding = rounding;
  if (pocketnn::HasWideOutput(activation)) spec.learning_rate[0].inverse = 50000;
  ShrinkUntilBounded(spec);
  // The rate rises at a mini-batch of two rows, where some inputs have no gradient but a residual.
  spec.learning_rate.push_back({.from_step = 7, .inverse = spec.learning_rate[0].inverse / 3});
  spec.learning_rate.push_back({.from_step = 20, .inverse = spec.learning_rate[0].inverse * 2});
  const kernels::Level before = kernels::ActiveLevel();
  for (const kernels::Level level : kernels::UsableLevels()) {
    SCOPED_TRACE(kernels::LevelName(level));
    kernels::SetActiveLevel(level);
    ExpectSameTraining(spec, {.always_wide = wide}, 40);
  }
  kernels::SetActiveLevel(before);
}

INSTANTIATE_TEST_SUITE_P(EveryOption, LearnerTest,
                         testing::Combine(testing::ValuesIn(kActivations),
                                          testing::Values(CreditAssignment::kDirectFeedback,
                                                          CreditAssignment::kBackPropagation),
                                          testing::Values(UpdateRounding::kTowardZero,
                                                          UpdateRounding::kErrorFeedback,
                                                          UpdateRounding::kStochastic),
                                          testing::Bool()),
                         NameOf);

TEST(LearnerShapesTest, MixedActivationsOneLayerAndManyUnitsTrainAsTheFormulasSay) {
  ModelSpec mixed = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
  mixed.layers[0].activation = Activation::kRescale;
  mixed.layers[1].activation = Activation::kPocketRelu8;
  ExpectSameTraining(mixed, {}, 20);

  ModelSpec single = mixed;
  single.layers = {{.units = 3, .activation = Activation::kPocketSigmoid}};
  ExpectSameTraining(single, {}, 20);

  ModelSpec wide = mixed;
  wide.input.shape = {600};
  wide.layers[0] = {.units = 530, .activation = Activation::kPocketTanh};
  ExpectSameTraining(wide, {}, 3);
}

TEST(LearnerShapesTest, EveryInputTypeTrainsAsTheFormulasSay) {
  for (const ElementType type : {ElementType::kUint8, ElementType::kInt8, ElementType::kInt16}) {
    ModelSpec spec = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
    spec.input.type = type;
    ExpectSameTraining(spec, {}, 20);
  }
}

TEST(LearnerShapesTest, MiniBatchesWhoseSumsLeaveInt32TrainAsTheFormulasSay) {
  ModelSpec spec = test::SmallSpec(Activation::kPocketLeakyRelu, CreditAssignment::kDirectFeedback);
  spec.input.type = ElementType::kInt16;
  spec.batch_size = 30;
  spec.learning_rate[0].inverse = 1000000;
  ExpectSameTraining(spec, {}, 20);
  spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback;
  spec.learning_rate[0].inverse = 2147483647;
  ExpectSameTraining(spec, {}, 20);
}

// P7: nothing wraps when every input, weight and error is at an end of its range.
TEST(LearnerOverflowTest, ExtremeWeightsAndInputsTrainAsTheFormulasSay) {
  for (const Activation activation : kActivations) {
    for (const CreditAssignment training :
         {CreditAssignment::kDirectFeedback, CreditAssignment::kBackPropagation}) {
      ModelSpec spec = test::SmallSpec(activation, training);
      spec.input.type = ElementType::kInt16;
      spec.learning_rate[0].inverse = 1;
      ShrinkUntilBounded(spec);
      SCOPED_TRACE(kActivationNames[static_cast<size_t>(activation)]);
      for (const int64_t element : {-32768, 32767}) {
        for (const int64_t sign : {-1, 1}) {
          PocketNnLearner learner(spec, {});
          SlowPocketNn slow(spec);
          for (const char* name : {"layer1.weight", "layer2.weight", "layer3.weight", "layer1.bias",
                                   "layer2.bias", "layer3.bias"}) {
            Numbers& array = slow.state[name];
            array.assign(array.size(), sign * spec.pocketnn.weight_limit);
            test::WriteState(learner, name, array);
          }
          ASSERT_TRUE(learner.CheckRestoredState().ok());
          const Samples samples = test::ConstantSamples(spec, spec.batch_size, element);
          for (int step = 0; step < 3; ++step) {
            const StepReport report =
                learner.TrainStep(samples.Rows(0, spec.batch_size), samples.labels);
            ASSERT_EQ(report.loss, slow.TrainStep(samples.rows, samples.labels).loss);
            ASSERT_EQ(ReadState(learner), slow.state);
          }
        }
      }
    }
  }
}

// 784 inputs of 255 at full weights: one int32 sum holds 257 of these products, the row has 784.
TEST(LearnerOverflowTest, APixelRowAtFullWeightsDoesNotWrap) {
  ModelSpec spec = test::SmallSpec(Activation::kRescale, CreditAssignment::kDirectFeedback);
  spec.input.shape = {28, 28};
  spec.layers = {{.units = 3, .activation = Activation::kRescale}};
  PocketNnLearner learner(spec, {});
  test::WriteState(learner, "layer1.weight", Numbers(784 * 3, 32767));
  const Samples samples = test::ConstantSamples(spec, 1, 255);
  const StepReport report = learner.TrainStep(samples.Rows(0, 1), samples.Labels(0, 1));
  const int64_t z = int64_t{784} * 255 * 32767 / 256;
  EXPECT_EQ(report.loss, (z - 15) * (z - 15) / 2 + z * z / 2 + z * z / 2);
}

}  // namespace
}  // namespace tally
