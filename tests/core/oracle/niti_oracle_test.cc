// Goal: NITI's learner computes exactly what the documents say, under every option.
// Method: the slow NITI of this folder trains on the same pseudo-random samples; after each of 100
// mini-batches, partial ones among them, every array of the state, loss, prediction and at the end
// scores must be equal. Dense and convolutional networks; every kernel level this CPU has.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/kernels/level.h"
#include "core/learner/model_spec_reader.h"
#include "tests/core/oracle/samples.h"
#include "tests/core/oracle/slow_niti_model.h"
#include "tests/core/oracle/state_comparison.h"

namespace tally::oracle {
namespace {

constexpr int kSteps = 100;

constexpr char kDense[] = R"(algorithm: niti
input: {shape: [5, 7]}
preprocessing: {kind: constants, unit: 51, mean: [120], deviation: [60]}
layers:
  - {units: 19, activation: relu}
  - {units: 8, activation: as_is}
  - {units: 4, activation: as_is}
classes: 4
batch_size: 6
learning_rate: [{from_step: 0, mu: 2}, {from_step: 30, mu: 0}, {from_step: 60, mu: -1}, {from_step: 80, mu: 5}]
schedule_steps: 100
seed: 20261128
)";

constexpr char kImages[] = R"(algorithm: niti
input: {shape: [9, 8, 2]}
preprocessing: {kind: constants, scope: channel, unit: 51, mean: [100, 120], deviation: [60, 70]}
layers:
  - {kind: conv2d, units: 5, kernel: [3, 3], padding: [1, 1], activation: relu}
  - {kind: max_pool, kernel: [2, 2]}
  - {kind: conv2d, units: 17, kernel: [3, 2], padding: [0, 1], activation: as_is}
  - {kind: max_pool, kernel: [1, 2]}
  - {kind: conv2d, units: 6, kernel: [1, 1], activation: relu}
  - {units: 9, activation: relu}
  - {units: 4, activation: as_is}
classes: 4
batch_size: 6
learning_rate: [{from_step: 0, mu: 3}, {from_step: 40, mu: 1}, {from_step: 70, mu: -2}]
schedule_steps: 100
seed: 20261129
)";

ModelSpec Spec(const char* yaml) {
  const auto spec = ModelSpecFromYaml(yaml, "spec");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

// Counters of how sums were added say nothing about what was learnt.
State WithoutCounters(State state) {
  std::erase_if(state, [](const auto& array) { return array.first.ends_with(".wide_steps"); });
  return state;
}

std::string Compare(Learner& learner, const SlowNitiModel& oracle) {
  return Difference(WithoutCounters(StateOf(learner)), oracle.state());
}

void ComparePredictions(const Learner& learner, SlowNitiModel& oracle, Samples& samples) {
  const auto predictor = learner.MakePredictor();
  samples.Draw(7);
  const size_t classes = learner.spec().classes;
  std::vector<int32_t> scores(7 * classes);
  predictor->Predict(samples.batch(), scores);
  for (size_t r = 0; r < 7; ++r) {
    const std::span<const int32_t> row(scores.data() + r * classes, classes);
    ASSERT_EQ(std::vector<int64_t>(row.begin(), row.end()), oracle.Predict(samples.rows[r]))
        << "scores of row " << r;
  }
}

// Whether every weight array has changed: equality of networks that stand still would be cheap.
bool Moved(const State& before, const State& after) {
  for (const auto& [name, values] : after) {
    if (name.ends_with(".weights") && values == before.at(name)) return false;
  }
  return true;
}

void TrainBoth(const ModelSpec& spec, uint64_t sample_seed) {
  SCOPED_TRACE(PrettySpec(spec));
  const auto made = MakeLearner(spec);
  ASSERT_TRUE(made.ok()) << made.status();
  Learner& learner = **made;
  SlowNitiModel oracle(spec);
  Samples samples(spec, sample_seed);
  if (learner.calibration_samples_wanted() > 0) {
    samples.Draw(spec.preprocessing.calibration_samples);
    learner.Calibrate(samples.batch());
    oracle.Calibrate(samples.rows);
  }
  const State before = oracle.state();
  ASSERT_EQ(Compare(learner, oracle), "") << "before the first mini-batch";
  for (int step = 0; step < kSteps; ++step) {
    const bool partial = samples.Roll(0, 3) == 0;
    samples.Draw(static_cast<size_t>(partial ? samples.Roll(1, spec.batch_size) : spec.batch_size));
    const StepReport fast = learner.TrainStep(samples.batch(), samples.labels);
    const SlowReport slow = oracle.TrainStep(samples.rows, samples.labels);
    ASSERT_EQ(fast.loss, slow.loss) << "step " << step;
    ASSERT_EQ(static_cast<int64_t>(fast.correct), slow.correct) << "step " << step;
    ASSERT_EQ(std::vector<uint32_t>(fast.predictions.begin(), fast.predictions.end()),
              slow.predictions)
        << "step " << step;
    ASSERT_EQ(Compare(learner, oracle), "") << "after step " << step;
  }
  EXPECT_TRUE(Moved(before, oracle.state())) << "the networks stood still";
  ComparePredictions(learner, oracle, samples);
}

// Of the oracle alone, on samples of its own.
State StateAfterTraining(const ModelSpec& spec, uint64_t sample_seed) {
  SlowNitiModel oracle(spec);
  Samples samples(spec, sample_seed);
  for (int step = 0; step < kSteps; ++step) {
    samples.Draw(spec.batch_size);
    oracle.TrainStep(samples.rows, samples.labels);
  }
  return oracle.state();
}

// An option set on both networks.
struct Option {
  const char* name;
  void (*set)(ModelSpec& spec);
};
void PrintTo(const Option& option, std::ostream* out) { *out << option.name; }

void AddDropout(ModelSpec& spec, uint32_t drop_permille) {
  LayerSpec dropout;
  dropout.kind = LayerKind::kDropout;
  dropout.drop_permille = drop_permille;
  dropout.activation = Activation();
  spec.layers.insert(spec.layers.end() - 1, dropout);
  spec.layers.insert(spec.layers.begin() + 1, dropout);
}

void Calibrated(ModelSpec& spec, PreprocessingScope scope) {
  spec.preprocessing = {};
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.scope = scope;
  spec.preprocessing.calibration_samples = 9;
}

// Rates of 2^-3 and less instead of the steps of the networks.
void Momentum(ModelSpec& spec) {
  spec.niti.weight_bits = 16;
  spec.niti.momentum_bits = 3;
  spec.niti.headroom_bits = 1;
  spec.niti.softmax = NitiSoftmax::kFine;
  for (RatePoint& point : spec.learning_rate) *point.mu -= 6;
}

constexpr Option kOptions[] = {
    {"Defaults", [](ModelSpec&) {}},
    {"FineWeights", [](ModelSpec& spec) { spec.niti.weight_bits = 16; }},
    {"LossHalfAway",
     [](ModelSpec& spec) { spec.niti.loss_rounding = LossRounding::kHalfAwayFromZero; }},
    {"LossStochastic",
     [](ModelSpec& spec) { spec.niti.loss_rounding = LossRounding::kStochastic; }},
    {"WeakDecay", [](ModelSpec& spec) { spec.niti.decay_bits = 15; }},
    {"StrongDecay", [](ModelSpec& spec) { spec.niti.decay_bits = 8; }},
    {"FineDecay",
     [](ModelSpec& spec) {
       spec.niti.weight_bits = 16;
       spec.niti.decay_bits = 10;
     }},
    {"GradientFloor", [](ModelSpec& spec) { spec.niti.gradient_bits_min = 14; }},
    {"ShortMemory", [](ModelSpec& spec) { spec.niti.range_memory = 1; }},
    {"LongMemory", [](ModelSpec& spec) { spec.niti.range_memory = 7; }},
    {"FineMemoryWithAFloor",
     [](ModelSpec& spec) {
       spec.niti.weight_bits = 16;
       spec.niti.range_memory = 3;
       spec.niti.gradient_bits_min = 10;
     }},
    {"MemoryOfOneRow",
     [](ModelSpec& spec) {
       spec.batch_size = 1;
       spec.niti.range_memory = 4;
     }},
    {"FineSoftmax", [](ModelSpec& spec) { spec.niti.softmax = NitiSoftmax::kFine; }},
    {"Headroom",
     [](ModelSpec& spec) {
       spec.niti.weight_bits = 16;
       spec.niti.headroom_bits = 3;
     }},
    {"Momentum", Momentum},
    {"MomentumAndDecay",
     [](ModelSpec& spec) {
       Momentum(spec);
       spec.niti.decay_bits = 8;
     }},
    {"MomentumThroughDropout",
     [](ModelSpec& spec) {
       Momentum(spec);
       AddDropout(spec, 500);
     }},
    {"LongMomentumOfManyRows",
     [](ModelSpec& spec) {
       Momentum(spec);
       spec.niti.momentum_bits = 5;
       spec.batch_size = 40;
     }},
    {"GoldenStart", [](ModelSpec& spec) { spec.niti.profile = NitiProfile::kGolden; }},
    {"Reference", [](ModelSpec& spec) { spec.niti.profile = NitiProfile::kReference; }},
    {"HalfDropped", [](ModelSpec& spec) { AddDropout(spec, 500); }},
    {"FewDropped", [](ModelSpec& spec) { AddDropout(spec, 130); }},
    {"ManyDropped", [](ModelSpec& spec) { AddDropout(spec, 900); }},
    {"Cropped", [](ModelSpec& spec) { spec.augmentation.crop_padding = 3; }},
    {"Flipped", [](ModelSpec& spec) { spec.augmentation.horizontal_flip = true; }},
    {"CroppedAndFlipped",
     [](ModelSpec& spec) { spec.augmentation = {.crop_padding = 16, .horizontal_flip = true}; }},
    {"OneRow", [](ModelSpec& spec) { spec.batch_size = 1; }},
    {"ManyRows", [](ModelSpec& spec) { spec.batch_size = 40; }},
    {"Signed",
     [](ModelSpec& spec) {
       spec.input.type = ElementType::kInt8;
       spec.preprocessing = {};
     }},
    {"SixteenBits",
     [](ModelSpec& spec) {
       spec.input.type = ElementType::kInt16;
       Calibrated(spec, PreprocessingScope::kGlobal);
     }},
    {"EachElement", [](ModelSpec& spec) { Calibrated(spec, PreprocessingScope::kElement); }},
};

class NitiOptionsTest : public testing::TestWithParam<Option> {};

TEST_P(NitiOptionsTest, StateIsIdenticalAfterEveryMiniBatch) {
  for (const char* yaml : {kDense, kImages}) {
    ModelSpec spec = Spec(yaml);
    GetParam().set(spec);
    ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 1));
  }
}

INSTANTIATE_TEST_SUITE_P(Niti, NitiOptionsTest, testing::ValuesIn(kOptions),
                         [](const auto& option) { return std::string(option.param.name); });

TEST(NitiOracleTest, CalibrationByChannelGivesTheSameState) {
  ModelSpec spec = Spec(kImages);
  Calibrated(spec, PreprocessingScope::kChannel);
  TrainBoth(spec, 2);
}

// Two inputs and single rows: sums of exactly 128 and gradients of at most 1 do occur.
TEST(NitiOracleTest, TheQuirksOfTheReferenceProfileAreThoseOfThePublishedCode) {
  bool differed = false;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    ModelSpec spec = Spec(kDense);
    spec.input.shape = {2};
    spec.layers.front().units = 3;
    spec.preprocessing.unit = 1;
    spec.batch_size = 1;
    spec.seed = seed;
    ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, seed));
    const State standard = StateAfterTraining(spec, seed);
    spec.niti.profile = NitiProfile::kReference;
    ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, seed));
    differed = differed || StateAfterTraining(spec, seed) != standard;
  }
  EXPECT_TRUE(differed) << "no quirk was met";
}

TEST(NitiOracleTest, EveryMuGivesTheSameState) {
  for (int32_t mu = -15; mu <= 15; ++mu) {
    for (const uint32_t bits : {8, 16}) {
      if (bits == 8 && mu > 7) continue;
      ModelSpec spec = Spec(kDense);
      spec.niti.weight_bits = bits;
      // Under the limit of a remembered range, 31 + mu, too.
      spec.niti.range_memory = bits == 8 ? 20 : 0;
      // One mini-batch in ten moves weights even where mu alone would not.
      spec.learning_rate.clear();
      for (uint64_t step = 0; step < kSteps; step += 10) {
        spec.learning_rate.push_back({.from_step = step, .mu = 3});
        spec.learning_rate.push_back({.from_step = step + 1, .mu = mu});
      }
      ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 3));
    }
  }
}

TEST(NitiOracleTest, EveryLearningRateGivesTheSameState) {
  for (int32_t mu = -15; mu <= 15; ++mu) {
    for (const uint32_t momentum_bits : {1, 4}) {
      ModelSpec spec = Spec(kDense);
      Momentum(spec);
      spec.niti.momentum_bits = momentum_bits;
      spec.niti.decay_bits = 15;
      spec.learning_rate.clear();
      for (uint64_t step = 0; step < kSteps; step += 10) {
        spec.learning_rate.push_back({.from_step = step, .mu = -2});
        spec.learning_rate.push_back({.from_step = step + 1, .mu = mu});
      }
      ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 5));
    }
  }
}

TEST(NitiOracleTest, EveryKernelLevelGivesTheSameState) {
  const kernels::Level before = kernels::ActiveLevel();
  for (const kernels::Level level : kernels::UsableLevels()) {
    SCOPED_TRACE(std::string(kernels::LevelName(level)));
    kernels::SetActiveLevel(level);
    ModelSpec spec = Spec(kImages);
    AddDropout(spec, 300);
    spec.niti.weight_bits = 16;
    spec.niti.decay_bits = 12;
    spec.niti.loss_rounding = LossRounding::kStochastic;
    spec.augmentation = {.crop_padding = 2, .horizontal_flip = true};
    TrainBoth(spec, 4);
  }
  kernels::SetActiveLevel(before);
}

}  // namespace
}  // namespace tally::oracle
