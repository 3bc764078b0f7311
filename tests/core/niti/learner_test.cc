// Goal: widths of sums change nothing, scores are logits, damaged values are found and sums that
// could overflow refused; what every learner promises is in ../promises.
// Method: small networks with every kind of layer, trained twice in different ways and compared.

#include "core/algorithms/niti/learner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/algorithms/niti/bounds.h"
#include "core/algorithms/niti/momentum.h"
#include "core/learner/model_spec_reader.h"
#include "tests/support/learner_probe.h"
#include "tests/support/small_niti.h"

namespace tally {
namespace {

using test::kNitiDense;
using test::kNitiImages;
using test::RandomSamples;
using test::ReadState;
using test::Samples;
using ::testing::HasSubstr;

ModelSpec Spec(const char* yaml) {
  const auto spec = ModelSpecFromYaml(yaml, "spec");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

// Both networks under every option.
std::vector<ModelSpec> Specs() {
  std::vector<ModelSpec> specs;
  for (const char* yaml : {kNitiDense, kNitiImages}) {
    const ModelSpec plain = Spec(yaml);
    specs.push_back(plain);
    specs.push_back(plain);
    specs.back().niti.weight_bits = 16;
    specs.back().niti.decay_bits = 12;
    specs.push_back(plain);
    specs.back().niti.loss_rounding = LossRounding::kStochastic;
    specs.back().niti.gradient_bits_min = 14;
    specs.push_back(plain);
    specs.back().niti.range_memory = 2;
    specs.push_back(plain);
    specs.back().niti.weight_bits = 16;
    specs.back().niti.momentum_bits = 3;
    specs.back().niti.headroom_bits = 1;
    specs.back().niti.decay_bits = 11;
    specs.back().niti.softmax = NitiSoftmax::kFine;
    for (RatePoint& point : specs.back().learning_rate) *point.mu -= 6;
    specs.push_back(plain);
    specs.back().niti.profile = NitiProfile::kReference;
    specs.back().niti.loss_rounding = LossRounding::kHalfAwayFromZero;
  }
  specs.push_back(Spec(kNitiImages));
  specs.back().augmentation = {.crop_padding = 2, .horizontal_flip = true};
  return specs;
}

std::unique_ptr<Learner> Make(const ModelSpec& spec) {
  auto learner = MakeLearner(spec);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

void Train(Learner& learner, const Samples& samples, size_t first_step, size_t steps) {
  for (size_t step = first_step; step < first_step + steps; ++step) {
    learner.TrainStep(samples.Rows(step * 6, 6), samples.Labels(step * 6, 6));
  }
}

TEST(NitiLearnerTest, WideSumsGiveTheSameWeights) {
  for (const ModelSpec& spec : Specs()) {
    const Samples samples = RandomSamples(spec, 72, 5);
    auto narrow = Make(spec);
    niti::NitiLearner wide(spec, {.always_wide = true});
    Train(*narrow, samples, 0, 12);
    Train(wide, samples, 0, 12);
    EXPECT_EQ(ReadState(wide), ReadState(*narrow)) << CanonicalSpec(spec);
    EXPECT_EQ(wide.Counters()[0].wide_steps, 12u);
    EXPECT_EQ(narrow->Counters()[0].wide_steps, 0u);
  }
}

TEST(NitiPredictorTest, ScoresAreTheLogitsOfAMiniBatchOfOne) {
  const ModelSpec spec = Spec(kNitiDense);
  const Samples samples = RandomSamples(spec, 60, 10);
  niti::NitiLearner learner(spec, {});
  Train(learner, samples, 0, 6);
  for (size_t row = 0; row < 20; ++row) {
    const auto predictor = learner.MakePredictor();
    std::vector<int32_t> scores(3);
    predictor->Predict(samples.Rows(row, 1), scores);
    const StepReport report = learner.TrainStep(samples.Rows(row, 1), samples.Labels(row, 1));
    EXPECT_EQ(ArgMax(scores), report.predictions[0]);
    EXPECT_EQ(predictor->Loss(scores, samples.labels[row]), report.loss);
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(scores[c], niti::ScoreOf(learner.logits()[c], learner.trace(2).output_exponent));
    }
  }
}

TEST(NitiRestoreTest, DamagedValuesAreFound) {
  auto learner = Make(Spec(kNitiDense));
  std::vector<int64_t> weights = ReadState(*learner).at("layer2.weights");
  weights[5] = -128;
  test::WriteState(*learner, "layer2.weights", weights);
  EXPECT_EQ(learner->CheckRestoredState().message(),
            "layer2.weights: element 5 is -128, outside [-127, 127]: the state is damaged; restore "
            "an older checkpoint");
  auto other = Make(Spec(kNitiDense));
  test::WriteState(*other, "layer1.exponent", {3});
  EXPECT_THAT(std::string(other->CheckRestoredState().message()),
              HasSubstr("layer1.exponent is 3, expected -8"));
}

TEST(NitiRestoreTest, VelocitiesBeyondTheirBoundAreFound) {
  ModelSpec spec = Spec(kNitiDense);
  spec.niti.weight_bits = 16;
  spec.niti.momentum_bits = 5;
  auto learner = Make(spec);
  std::vector<int64_t> velocities = ReadState(*learner).at("layer2.velocity");
  velocities[3] = -(int64_t{1} << 30);
  test::WriteState(*learner, "layer2.velocity", velocities);
  EXPECT_TRUE(learner->CheckRestoredState().ok());
  velocities[3] -= 1;
  test::WriteState(*learner, "layer2.velocity", velocities);
  EXPECT_EQ(learner->CheckRestoredState().message(),
            "layer2.velocity: element 3 is -1073741825, outside [-1073741824, 1073741824]: the "
            "state is damaged; restore an older checkpoint");
}

// The bound of a velocity: at the largest, with everything added to it, it stays.
TEST(NitiMomentumTest, ThePushesOfAStepDoNotCarryAVelocityBeyondItsBound) {
  EXPECT_EQ(niti::Push(INT64_MAX, 0), niti::kPushMax);
  EXPECT_EQ(niti::Push(-niti::kPushMax, 31), -niti::kPushMax);
  EXPECT_EQ(niti::Push(3, 80), niti::kPushMax);
  EXPECT_EQ(niti::Push(3, 2), 12);
  EXPECT_EQ(niti::Push(-64, -4), -4);
  EXPECT_EQ(niti::Push(INT64_MAX, -63), 1);  // as by 62, the longest
  EXPECT_EQ(niti::kVelocityMax >> 5, 2 * niti::kPushMax);
}

// With the rates of gradient descent, twice the mini-batch makes the same step of the same rows.
TEST(NitiMomentumTest, StepsAreThoseOfTheMeanLoss) {
  ModelSpec spec = Spec(kNitiDense);
  spec.niti.weight_bits = 16;
  spec.niti.momentum_bits = 3;
  spec.learning_rate = {{.from_step = 0, .mu = -4}};
  spec.batch_size = 4;
  auto once = Make(spec);
  const Samples samples = RandomSamples(spec, 4, 5);
  once->TrainStep(samples.Rows(0, 4), samples.Labels(0, 4));
  spec.batch_size = 8;
  auto twice = Make(spec);
  Samples doubled = samples;
  doubled.bytes.insert(doubled.bytes.end(), samples.bytes.begin(), samples.bytes.end());
  doubled.labels.insert(doubled.labels.end(), samples.labels.begin(), samples.labels.end());
  twice->TrainStep(doubled.Rows(0, 8), doubled.Labels(0, 8));
  for (const char* name : {"layer1.velocity", "layer2.velocity", "layer3.velocity"}) {
    const std::vector<int64_t> a = ReadState(*once).at(name);
    const std::vector<int64_t> b = ReadState(*twice).at(name);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(double(a[i]), double(b[i]), 1) << name;
  }
}

TEST(NitiBoundsTest, RefusesSumsBeyondInt32WithNumbers) {
  ModelSpec spec = Spec(kNitiDense);
  spec.input.shape = {65536, 2};
  EXPECT_EQ(
      MakeLearner(spec).status().message(),
      "layers[0]: the worst case of products of int8 in a sum of its outputs is 131072, above "
      "the limit of 131071; reduce what enters it, its kernel or its units");
  spec.input.shape = {131071 / 31, 31};
  EXPECT_TRUE(niti::CheckBounds(spec).ok());
}

TEST(NitiBoundsTest, GradientsMoveToInt64WhereInt32MightNotDo) {
  ModelSpec spec = Spec(kNitiDense);
  const LayerShape shape = LayerShapes(spec)[0];
  EXPECT_FALSE(niti::NeedsWideSums(spec, shape));
  spec.learning_rate[1].mu = -14;  // 6 products need 17 bits
  EXPECT_FALSE(niti::NeedsWideSums(spec, shape));
  spec.learning_rate[1].mu = -15;
  EXPECT_TRUE(niti::NeedsWideSums(spec, shape));
  LayerShape image = LayerShapes(Spec(kNitiImages))[0];
  image.out = {256, 256, 5};
  spec.learning_rate[1].mu = 2;
  spec.batch_size = 1;
  EXPECT_FALSE(niti::NeedsWideSums(spec, image));
  spec.niti.decay_bits = 15;
  EXPECT_TRUE(niti::NeedsWideSums(spec, image));
}

}  // namespace
}  // namespace tally
