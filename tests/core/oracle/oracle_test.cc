// Goal: PocketNN's learner computes exactly what the documents say, in every mode.
// Method: a second, slow implementation written from the documents alone trains on the same
// pseudo-random samples; after each of 200 mini-batches, partial ones among them, every array of
// the state, every counter, loss and prediction must be equal.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <tuple>

#include "core/algorithms/algorithms.h"
#include "core/learner/model_spec_reader.h"
#include "tests/core/oracle/samples.h"
#include "tests/core/oracle/slow_network.h"
#include "tests/core/oracle/slow_philox.h"
#include "tests/core/oracle/state_comparison.h"

namespace tally::oracle {
namespace {

constexpr int kSteps = 200;

// The largest weight limit for which no sum can leave int64; the limit comes with the activations.
std::unique_ptr<Learner> MakeWithLargestLimit(ModelSpec& spec) {
  while (spec.pocketnn.weight_limit > 0) {
    auto learner = MakeLearner(spec);
    if (learner.ok()) return *std::move(learner);
    EXPECT_EQ(learner.status().code(), absl::StatusCode::kInvalidArgument) << learner.status();
    spec.pocketnn.weight_limit /= 2;
  }
  return nullptr;
}

void ComparePredictions(const Learner& learner, SlowNetwork& oracle, Samples& samples) {
  const auto predictor = learner.MakePredictor();
  samples.Draw(7);
  const size_t classes = learner.spec().classes;
  std::vector<int32_t> scores(7 * classes);
  predictor->Predict(samples.batch(), scores);
  for (size_t r = 0; r < 7; ++r) {
    const std::span<const int32_t> row(scores.data() + r * classes, classes);
    const std::vector<int64_t> fast(row.begin(), row.end());
    ASSERT_EQ(fast, oracle.Predict(samples.rows[r])) << "scores of row " << r;
    ASSERT_EQ(predictor->Loss(row, samples.labels[r]), oracle.Loss(fast, samples.labels[r]));
  }
}

// Whether every weight matrix has changed: equality of networks that stand still would be cheap.
bool Moved(const State& before, const State& after) {
  return std::all_of(after.begin(), after.end(), [&](const auto& array) {
    return !array.first.ends_with(".weight") || array.second != before.at(array.first);
  });
}

struct Outcome {
  bool moved = false;
  State state;
};

// The sum of a counter over all layers.
int64_t Total(const State& state, std::string_view counter) {
  int64_t total = 0;
  for (const auto& [name, values] : state) {
    if (name.ends_with(counter)) total += values[0];
  }
  return total;
}

// Direct feedback starts from zero; back-propagation from values in [-r, r] without 0, r the root
// of 393204 / (inputs + units), which is also the range of the feedback matrices.
void ExpectDocumentedStart(const ModelSpec& spec, const State& start) {
  int64_t inputs = 1;
  for (const uint32_t dimension : spec.input.shape) inputs *= dimension;
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    const int64_t square = 393204 / (inputs + spec.layers[l].units);
    for (const std::string array : {"weight", "bias", "feedback"}) {
      const auto found = start.find("layer" + std::to_string(l + 1) + "." + array);
      if (found == start.end()) continue;
      for (const int64_t value : found->second) {
        if (array != "feedback") {
          ASSERT_LE(std::abs(value), spec.pocketnn.weight_limit) << found->first;
        }
        const bool zero =
            array != "feedback" && spec.pocketnn.training == CreditAssignment::kDirectFeedback;
        ASSERT_EQ(value == 0, zero) << found->first;
        ASSERT_LE(value * value, square) << found->first;
      }
    }
    inputs = spec.layers[l].units;
  }
}

void TrainBoth(ModelSpec spec, uint64_t sample_seed, Outcome& outcome) {
  const std::unique_ptr<Learner> learner = MakeWithLargestLimit(spec);
  ASSERT_NE(learner, nullptr) << "no weight limit suits " << PrettySpec(spec);
  SCOPED_TRACE(PrettySpec(spec));
  const State before = StateOf(*learner);
  ASSERT_NO_FATAL_FAILURE(ExpectDocumentedStart(spec, before));
  SlowNetwork oracle(spec, before);
  Samples samples(spec, sample_seed);
  if (learner->calibration_samples_wanted() > 0) {
    ASSERT_EQ(learner->calibration_samples_wanted(), spec.preprocessing.calibration_samples);
    samples.Draw(spec.preprocessing.calibration_samples);
    learner->Calibrate(samples.batch());
    oracle.Calibrate(samples.rows);
  }
  ASSERT_EQ(Difference(StateOf(*learner), oracle.state()), "") << "before the first mini-batch";
  for (int step = 0; step < kSteps; ++step) {
    const bool partial = samples.Roll(0, 3) == 0;
    samples.Draw(static_cast<size_t>(partial ? samples.Roll(1, spec.batch_size) : spec.batch_size));
    const StepReport fast = learner->TrainStep(samples.batch(), samples.labels);
    const SlowReport slow = oracle.TrainStep(samples.rows, samples.labels);
    ASSERT_EQ(fast.loss, slow.loss) << "step " << step;
    ASSERT_EQ(static_cast<int64_t>(fast.correct), slow.correct) << "step " << step;
    ASSERT_EQ(std::vector<uint32_t>(fast.predictions.begin(), fast.predictions.end()),
              slow.predictions)
        << "step " << step;
    ASSERT_EQ(Difference(StateOf(*learner), oracle.state()), "") << "after step " << step;
  }
  ComparePredictions(*learner, oracle, samples);
  outcome.state = oracle.state();
  outcome.moved = Moved(before, outcome.state);
}

ModelSpec SmallSpec(CreditAssignment training, Activation hidden, Activation last) {
  ModelSpec spec;
  spec.algorithm = "pocketnn";
  spec.input.shape = {4, 4};
  spec.layers = {{12, hidden}, {8, hidden}, {4, last}};
  spec.classes = 4;
  spec.batch_size = 5;
  // The rate falls and rises again: error feedback then holds more than one inverse.
  spec.learning_rate = {{0, 100}, {60, 1009}, {120, 64}, {160, 333}};
  spec.schedule_steps = kSteps;
  spec.seed = 20261123;
  spec.pocketnn.training = training;
  return spec;
}

void SetPreprocessing(ModelSpec& spec, PreprocessingKind kind, PreprocessingScope scope) {
  PreprocessingSpec& preprocessing = spec.preprocessing;
  preprocessing.kind = kind;
  if (kind == PreprocessingKind::kNone) return;
  preprocessing.scope = scope;
  if (kind == PreprocessingKind::kCalibrated) {
    preprocessing.calibration_samples = 9;
    return;
  }
  preprocessing.unit = 64;
  const auto [low, high] = RangeOf(spec.input.type);
  Dice dice(7);
  const size_t constants = scope == PreprocessingScope::kElement ? spec.InputElements() : 1;
  for (size_t i = 0; i < constants; ++i) {
    preprocessing.mean.push_back(static_cast<int32_t>(dice.Roll(low, high)));
    preprocessing.deviation.push_back(static_cast<int32_t>(dice.Roll(1, (high - low) / 3)));
  }
}

constexpr UpdateRounding kRoundings[] = {
    UpdateRounding::kTowardZero, UpdateRounding::kErrorFeedback, UpdateRounding::kStochastic};
constexpr ElementType kTypes[] = {ElementType::kUint8, ElementType::kInt8, ElementType::kInt16};
constexpr CreditAssignment kTrainings[] = {CreditAssignment::kDirectFeedback,
                                           CreditAssignment::kBackPropagation};
constexpr Activation kActivations[] = {Activation::kPocketTanh,      Activation::kPocketSigmoid,
                                       Activation::kPocketLeakyRelu, Activation::kPocketRelu8,
                                       Activation::kRescale,         Activation::kAsIs};

// The last layer's activation: pocket_tanh, or (nothing) that of the hidden layers.
constexpr std::optional<Activation> kLast[] = {Activation::kPocketTanh, std::nullopt};

class EveryModeTest
    : public testing::TestWithParam<
          std::tuple<CreditAssignment, Activation, std::optional<Activation>, UpdateRounding>> {};

// Some start dead, as leaky ReLUs on raw int16 elements do; of the six ways in, two must learn.
TEST_P(EveryModeTest, StateIsIdenticalAfterEveryMiniBatch) {
  const auto [training, hidden, last, rounding] = GetParam();
  int moved = 0;
  for (const ElementType type : kTypes) {
    for (const auto kind : {PreprocessingKind::kNone, PreprocessingKind::kCalibrated}) {
      ModelSpec spec = SmallSpec(training, hidden, last.value_or(hidden));
      spec.pocketnn.update_rounding = rounding;
      spec.input.type = type;
      SetPreprocessing(spec, kind, PreprocessingScope::kGlobal);
      Outcome outcome;
      ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 1, outcome));
      moved += outcome.moved ? 1 : 0;
    }
  }
  EXPECT_GE(moved, 2);
}

constexpr std::string_view kActivationNames[] = {"Tanh",  "Sigmoid", "LeakyRelu",
                                                 "Relu8", "Rescale", "AsIs"};
constexpr std::string_view kRoundingNames[] = {"TowardZero", "ErrorFeedback", "Stochastic"};

std::string NameOfMode(const testing::TestParamInfo<EveryModeTest::ParamType>& mode) {
  const auto [training, hidden, last, rounding] = mode.param;
  std::string name = training == CreditAssignment::kDirectFeedback ? "Dfa" : "Bp";
  name += kActivationNames[static_cast<size_t>(hidden)];
  name += last ? "ThenTanh" : "Throughout";
  name += kRoundingNames[static_cast<size_t>(rounding)];
  return name;
}

INSTANTIATE_TEST_SUITE_P(PocketNn, EveryModeTest,
                         testing::Combine(testing::ValuesIn(kTrainings),
                                          testing::ValuesIn(kActivations), testing::ValuesIn(kLast),
                                          testing::ValuesIn(kRoundings)),
                         NameOfMode);

TEST(OracleTest, EveryWayOfStandardisingGivesTheSameState) {
  for (const CreditAssignment training : kTrainings) {
    for (const ElementType type : kTypes) {
      for (const auto kind : {PreprocessingKind::kConstants, PreprocessingKind::kCalibrated}) {
        for (const auto scope : {PreprocessingScope::kGlobal, PreprocessingScope::kElement}) {
          ModelSpec spec = SmallSpec(training, Activation::kPocketTanh, Activation::kPocketTanh);
          spec.input.type = type;
          SetPreprocessing(spec, kind, scope);
          Outcome outcome;
          ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 2, outcome));
          EXPECT_TRUE(outcome.moved);
        }
      }
    }
  }
}

TEST(OracleTest, SmallLimitsClampTheSameWeights) {
  for (const CreditAssignment training : kTrainings) {
    for (const UpdateRounding rounding : kRoundings) {
      ModelSpec spec = SmallSpec(training, Activation::kPocketTanh, Activation::kPocketTanh);
      spec.pocketnn.weight_limit = 200;
      spec.pocketnn.update_rounding = rounding;
      spec.pocketnn.target = 127;
      spec.learning_rate = {{0, 1}, {100, 2147483647}, {150, 3}};
      Outcome outcome;
      ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 3, outcome));
      EXPECT_TRUE(outcome.moved);
      EXPECT_GT(Total(outcome.state, ".clamped_weights"), 0);
    }
  }
}

TEST(OracleTest, OneLayerAndOneRowAreNoSpecialCase) {
  for (const CreditAssignment training : kTrainings) {
    ModelSpec spec = SmallSpec(training, Activation::kPocketTanh, Activation::kPocketTanh);
    spec.layers = {{4, Activation::kPocketTanh}};
    spec.batch_size = 1;
    Outcome outcome;
    ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 4, outcome));
    EXPECT_TRUE(outcome.moved);
  }
}

// Outputs of 16 bits and errors of more: deltas that leave int16 take other kernels.
TEST(OracleTest, DeltasBeyondSixteenBitsGiveTheSameState) {
  for (const CreditAssignment training : kTrainings) {
    ModelSpec spec = SmallSpec(training, Activation::kPocketTanh, Activation::kPocketLeakyRelu);
    spec.learning_rate = {{0, 100}};
    Outcome outcome;
    ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 6, outcome));
    EXPECT_TRUE(outcome.moved);
    EXPECT_GT(Total(outcome.state, ".wide_steps"), 0);
    EXPECT_LT(Total(outcome.state, ".wide_steps"), 3 * kSteps);
  }
}

TEST(OracleTest, ANetworkOfMnistsShapeGivesTheSameState) {
  for (const CreditAssignment training : kTrainings) {
    ModelSpec spec = SmallSpec(training, Activation::kPocketTanh, Activation::kPocketTanh);
    spec.input.shape = {28, 28};
    spec.layers = {{100, Activation::kPocketTanh},
                   {50, Activation::kPocketTanh},
                   {10, Activation::kPocketTanh}};
    spec.classes = 10;
    spec.batch_size = 20;
    spec.learning_rate = {{0, 1000}};
    if (training == CreditAssignment::kBackPropagation) {
      spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback;
      SetPreprocessing(spec, PreprocessingKind::kCalibrated, PreprocessingScope::kElement);
    }
    Outcome outcome;
    ASSERT_NO_FATAL_FAILURE(TrainBoth(spec, 5, outcome));
    EXPECT_TRUE(outcome.moved);
  }
}

TEST(OraclesPhiloxTest, HasTheValuesOfTheDesign) {
  using Words = std::array<uint32_t, 4>;
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(SlowPhilox({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(SlowPhilox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(SlowPhilox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

}  // namespace
}  // namespace tally::oracle
