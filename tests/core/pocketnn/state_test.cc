// Goal: what PocketNN's state is made of, its first values, its counters and its calibration; what
// every learner promises is in ../promises.
// Method: small learners, hand-computed values.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/algorithms/pocketnn/learner.h"
#include "tests/core/pocketnn/fixtures.h"

namespace tally {
namespace {

using test::Numbers;
using test::ReadState;
using test::Samples;
using test::State;
using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<Learner> Make(const ModelSpec& spec) {
  auto learner = MakeLearner(spec);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

ModelSpec Spec() {
  ModelSpec spec = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
  spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback;
  return spec;
}

void Train(Learner& learner, const Samples& samples, size_t first, size_t steps) {
  const size_t batch = learner.spec().batch_size;
  for (size_t step = 0; step < steps; ++step) {
    const size_t row = (first + step * batch) % (samples.labels.size() - batch);
    learner.TrainStep(samples.Rows(row, batch), samples.Labels(row, batch));
  }
}

TEST(StateTest, FirstWeightsUnderBackPropagationHaveNoZeroAndKeepWithinTheLimit) {
  for (const uint32_t limit : {10u, 32767u}) {
    ModelSpec spec = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kBackPropagation);
    spec.pocketnn.weight_limit = limit;
    auto learner = Make(spec);
    EXPECT_TRUE(learner->CheckRestoredState().ok()) << learner->CheckRestoredState();
    const Numbers weights = ReadState(*learner).at("layer1.weight");
    const auto [lowest, highest] = std::minmax_element(weights.begin(), weights.end());
    // isqrt(393204 / (12 + 7)) = 143; all of a small range appears among 84 draws.
    const int64_t range = std::min<int64_t>(limit, 143);
    EXPECT_GE(*lowest, -range);
    EXPECT_LE(*highest, range);
    EXPECT_GT(*highest - *lowest, range);
    EXPECT_EQ(std::count(weights.begin(), weights.end(), 0), 0);
  }
}

struct Named {
  std::string name;
  StateType type;
  std::vector<uint64_t> shape;
  bool in_digest;
  friend bool operator==(const Named&, const Named&) = default;
};

class Names : public StateVisitor {
 public:
  void Visit(const StateEntry& entry) override {
    named.push_back({std::string(entry.name), entry.type,
                     std::vector<uint64_t>(entry.shape.begin(), entry.shape.end()),
                     entry.in_digest});
  }
  std::vector<Named> named;
};

TEST(StateTest, VisitsTheDocumentedArrays) {
  ModelSpec spec = Spec();
  spec.layers.erase(spec.layers.begin());
  spec.preprocessing = {.kind = PreprocessingKind::kCalibrated,
                        .scope = PreprocessingScope::kElement,
                        .unit = 51,
                        .mean = {},
                        .deviation = {},
                        .calibration_samples = 5};
  auto learner = Make(spec);
  Names names;
  learner->VisitState(names);
  const auto counter = [](const char* name) { return Named{name, StateType::kUint64, {}, false}; };
  EXPECT_THAT(
      names.named,
      ElementsAre(Named{"step", StateType::kUint64, {}, true},
                  Named{"input.mean", StateType::kInt32, {12}, true},
                  Named{"input.deviation", StateType::kInt32, {12}, true},
                  Named{"layer1.weight", StateType::kInt16, {12, 5}, true},
                  Named{"layer1.bias", StateType::kInt16, {5}, true},
                  Named{"layer1.feedback", StateType::kInt16, {3, 5}, true},
                  Named{"layer1.weight_residual", StateType::kInt32, {12, 5}, true},
                  Named{"layer1.bias_residual", StateType::kInt32, {5}, true},
                  Named{"layer2.weight", StateType::kInt16, {5, 3}, true},
                  Named{"layer2.bias", StateType::kInt16, {3}, true},
                  Named{"layer2.weight_residual", StateType::kInt32, {5, 3}, true},
                  Named{"layer2.bias_residual", StateType::kInt32, {3}, true},
                  counter("layer1.saturated_activations"), counter("layer1.clamped_weights"),
                  counter("layer1.wide_steps"), counter("layer2.saturated_activations"),
                  counter("layer2.clamped_weights"), counter("layer2.wide_steps")));
}

TEST(StateTest, ARestoredValueOutsideItsRangeIsDataLoss) {
  ModelSpec spec = Spec();
  spec.pocketnn.weight_limit = 1000;
  spec.preprocessing = {.kind = PreprocessingKind::kCalibrated,
                        .scope = PreprocessingScope::kGlobal,
                        .unit = 51,
                        .mean = {},
                        .deviation = {},
                        .calibration_samples = 5};
  const std::pair<const char*, int64_t> damages[] = {
      {"layer2.weight", 1001},         {"layer1.bias", -1001},         {"layer1.feedback", 200},
      {"layer3.weight_residual", 200}, {"layer3.bias_residual", -200}, {"input.deviation", 65536},
      {"input.deviation", -1}};
  for (const auto& [name, value] : damages) {
    auto learner = Make(spec);
    Numbers values = ReadState(*learner).at(name);
    values.back() = value;
    test::WriteState(*learner, name, values);
    const absl::Status status = learner->CheckRestoredState();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(value)));
  }
}

TEST(CalibrationTest, MeasuresMeanAndMeanAbsoluteDeviation) {
  ModelSpec spec = Spec();
  spec.input = {.shape = {2}, .type = ElementType::kInt8};
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.calibration_samples = 3;
  const std::vector<int8_t> elements = {-10, 4, -20, 5, -31, 7};
  const RowBatch rows = {std::as_bytes(std::span(elements)), 3};

  auto global = Make(spec);
  EXPECT_EQ(global->calibration_samples_wanted(), 3u);
  global->Calibrate(rows);
  EXPECT_EQ(global->calibration_samples_wanted(), 0u);
  // Sum -45 over 6, toward zero: -7. Deviations 3 + 11 + 13 + 12 + 24 + 14 = 77 over 6: 12.
  EXPECT_EQ(ReadState(*global).at("input.mean"), Numbers{-7});
  EXPECT_EQ(ReadState(*global).at("input.deviation"), Numbers{12});

  spec.preprocessing.scope = PreprocessingScope::kElement;
  auto each = Make(spec);
  each->Calibrate(rows);
  // -61 / 3 = -20 and 16 / 3 = 5; deviations (10 + 0 + 11) / 3 = 7 and (1 + 0 + 2) / 3 = 1.
  EXPECT_EQ(ReadState(*each).at("input.mean"), (Numbers{-20, 5}));
  EXPECT_EQ(ReadState(*each).at("input.deviation"), (Numbers{7, 1}));
}

TEST(CalibrationTest, AConstantElementGetsTheSmallestDeviation) {
  ModelSpec spec = Spec();
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.calibration_samples = 4;
  auto learner = Make(spec);
  const Samples samples = test::ConstantSamples(spec, 4, 200);
  learner->Calibrate(samples.Rows(0, 4));
  EXPECT_EQ(ReadState(*learner).at("input.mean"), Numbers{200});
  EXPECT_EQ(ReadState(*learner).at("input.deviation"), Numbers{1});
}

TEST(CalibrationTest, GivenConstantsTrainLikeMeasuredOnes) {
  ModelSpec measured = Spec();
  measured.preprocessing.kind = PreprocessingKind::kCalibrated;
  measured.preprocessing.calibration_samples = 20;
  const Samples samples = test::RandomSamples(measured, 50, 3);
  auto one = Make(measured);
  one->Calibrate(samples.Rows(0, 20));
  ModelSpec given = measured;
  given.preprocessing.kind = PreprocessingKind::kConstants;
  given.preprocessing.calibration_samples = 0;
  const State state = ReadState(*one);
  given.preprocessing.mean = {static_cast<int32_t>(state.at("input.mean")[0])};
  given.preprocessing.deviation = {static_cast<int32_t>(state.at("input.deviation")[0])};
  auto two = Make(given);
  Train(*one, samples, 0, 20);
  Train(*two, samples, 0, 20);
  EXPECT_EQ(ReadState(*one), ReadState(*two));
}

TEST(PredictorTest, ScoresBeyondInt32Saturate) {
  ModelSpec spec = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
  spec.input = {.shape = {100}, .type = ElementType::kInt16};
  spec.layers = {{.units = 3, .activation = Activation::kAsIs}};
  spec.pocketnn.weight_limit = 656;
  spec.batch_size = 1;
  auto learner = Make(spec);
  Numbers weights(300, 0);
  for (size_t i = 0; i < 300; i += 3) {
    weights[i] = 656;
    weights[i + 1] = -656;
  }
  test::WriteState(*learner, "layer1.weight", weights);
  const Samples samples = test::ConstantSamples(spec, 1, 32767);
  std::vector<int32_t> scores(3);
  learner->MakePredictor()->Predict(samples.Rows(0, 1), scores);
  EXPECT_THAT(scores, ElementsAre(INT32_MAX, INT32_MIN, 0));
}

TEST(CountersTest, CountCutOutputsAndCutWeights) {
  ModelSpec spec = Spec();
  spec.layers = {{.units = 3, .activation = Activation::kPocketTanh}};
  spec.pocketnn.weight_limit = 2;
  spec.learning_rate[0].inverse = 1;
  auto learner = Make(spec);
  const Samples samples = test::ConstantSamples(spec, 6, 255);
  learner->TrainStep(samples.Rows(0, 6), samples.labels);
  const LayerCounters counters = learner->Counters()[0];
  EXPECT_EQ(counters.saturated_activations, 0u);
  EXPECT_EQ(counters.clamped_weights, 39u);  // 12 x 3 weights and 3 biases, pulled far beyond 2
  EXPECT_EQ(counters.wide_steps, 0u);

  ModelSpec wild = test::SmallSpec(Activation::kAsIs, CreditAssignment::kDirectFeedback);
  wild.layers.erase(wild.layers.begin());
  wild.pocketnn.weight_limit = 200;
  auto other = Make(wild);
  test::WriteState(*other, "layer2.weight", Numbers(15, 200));
  test::WriteState(*other, "layer1.weight", Numbers(60, 200));
  const Samples more = test::ConstantSamples(wild, 6, 255);
  other->TrainStep(more.Rows(0, 6), more.labels);
  EXPECT_EQ(other->Counters()[0].wide_steps, 1u);
  EXPECT_EQ(other->Counters()[1].wide_steps, 1u);
}

}  // namespace
}  // namespace tally
