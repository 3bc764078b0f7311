// Goal: Fit does exactly what design.md calls "fit equals the daemon": order, mini-batches, flush,
// calibration. Method: the same steps written out by hand on a second learner; every array of both
// states compared.

#include "client/training/fit.h"

#include <gtest/gtest.h>

#include <map>

#include "client/training/evaluate.h"
#include "core/algorithms/algorithms.h"
#include "core/arithmetic/shuffle.h"

namespace tally {
namespace {

ModelSpec SmallSpec() {
  ModelSpec spec;
  spec.name = "small";
  spec.algorithm = "pocketnn";
  spec.input.shape = {12};
  spec.layers = {{.units = 8, .activation = Activation::kPocketTanh},
                 {.units = 3, .activation = Activation::kPocketTanh}};
  spec.classes = 3;
  spec.batch_size = 4;
  spec.learning_rate = {{.from_step = 0, .inverse = 100}};
  spec.schedule_steps = 20;
  spec.seed = 7;
  return spec;
}

Dataset SmallData(uint32_t count, uint32_t salt = 0) {
  Dataset dataset;
  dataset.shape = {3, 4};  // 12 elements: shapes may differ, elements may not
  for (uint32_t i = 0; i < count; ++i) {
    dataset.labels.push_back((i + salt) % 3);
    for (uint32_t j = 0; j < 12; ++j) {
      dataset.rows.push_back(
          static_cast<std::byte>((i * 31 + j * 17 + salt * 5 + (i + salt) % 3 * 60) % 256));
    }
  }
  return dataset;
}

class StateCopy : public StateVisitor {
 public:
  void Visit(const StateEntry& entry) override {
    arrays[std::string(entry.name)].assign(entry.bytes.begin(), entry.bytes.end());
  }
  std::map<std::string, std::vector<std::byte>> arrays;
};

auto State(Learner& learner) {
  StateCopy copy;
  learner.VisitState(copy);
  return copy.arrays;
}

std::unique_ptr<Learner> Make(const ModelSpec& spec) {
  auto learner = MakeLearner(spec);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// One mini-batch of the samples order[first, first + rows), copied sample by sample.
StepReport StepByHand(Learner& learner, const Dataset& data, const std::vector<uint32_t>& order,
                      size_t first, size_t rows) {
  std::vector<std::byte> bytes;
  std::vector<uint32_t> labels;
  for (size_t i = first; i < first + rows; ++i) {
    const auto row = data.row(order[i]);
    bytes.insert(bytes.end(), row.begin(), row.end());
    labels.push_back(data.labels[order[i]]);
  }
  return learner.TrainStep({bytes, rows}, labels);
}

TEST(FitTest, TrainsEachEpochInItsOrderAndFlushesAtItsEnd) {
  const Dataset data = SmallData(10);
  const auto by_hand = Make(SmallSpec());
  std::vector<EpochReport> expected(2);
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    const auto order = EpochOrder(99, epoch, 10);
    // 10 samples in mini-batches of 4: the last one has 2 and does not wait for the next epoch.
    for (const auto& [first, rows] : {std::pair{0, 4}, {4, 4}, {8, 2}}) {
      const StepReport step =
          StepByHand(*by_hand, data, order, static_cast<size_t>(first), static_cast<size_t>(rows));
      expected[epoch].train_loss += step.loss;
      expected[epoch].train_correct += static_cast<uint32_t>(step.correct);
    }
  }
  const auto fitted = Make(SmallSpec());
  FitObserver nobody;
  const auto report = Fit(*fitted, {data}, {.epochs = 2, .shuffle_seed = 99}, nobody);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(fitted->step(), 6u);
  EXPECT_EQ(State(*fitted), State(*by_hand));
  ASSERT_EQ(report->epochs.size(), 2u);
  for (uint32_t epoch = 0; epoch < 2; ++epoch) {
    EXPECT_EQ(report->epochs[epoch].epoch, epoch);
    EXPECT_EQ(report->epochs[epoch].train_loss, expected[epoch].train_loss);
    EXPECT_EQ(report->epochs[epoch].train_correct, expected[epoch].train_correct);
    EXPECT_EQ(report->epochs[epoch].train_total, 10u);
    EXPECT_EQ(report->epochs[epoch].test_total, 0u);
  }
  EXPECT_EQ(report->trained_samples, 20u);
}

TEST(FitTest, TestingDoesNotChangeWhatIsLearnt) {
  const Dataset train = SmallData(10);
  const Dataset test = SmallData(100, 1);
  FitObserver nobody;
  const auto with_test = Make(SmallSpec());
  const auto without = Make(SmallSpec());
  const auto report = Fit(*with_test, {train, &test}, {.epochs = 3, .shuffle_seed = 1}, nobody);
  ASSERT_TRUE(report.ok());
  ASSERT_TRUE(Fit(*without, {train}, {.epochs = 3, .shuffle_seed = 1}, nobody).ok());
  EXPECT_EQ(State(*with_test), State(*without));
  EXPECT_EQ(report->epochs.back().test_total, 100u);
}

TEST(FitTest, HeldOutDataArePredictedAfterEachEpochAndTestDataAfterTheLast) {
  const Dataset train = SmallData(10);
  const Dataset held_out = SmallData(30, 1);
  const Dataset test = SmallData(100, 2);
  FitObserver nobody;
  const auto watched = Make(SmallSpec());
  const auto without = Make(SmallSpec());
  const FitData data{.train = train, .test = &test, .held_out = &held_out, .test_last_only = true};
  const TrainingPlan plan{.epochs = 3, .shuffle_seed = 1};
  const auto report = Fit(*watched, data, plan, nobody);
  ASSERT_TRUE(report.ok()) << report.status();
  const auto on_all = Fit(*without, {train, &held_out}, plan, nobody);
  ASSERT_TRUE(on_all.ok());
  EXPECT_EQ(State(*watched), State(*without));
  const uint32_t tested[] = {0, 0, 100};
  for (size_t epoch = 0; epoch < 3; ++epoch) {
    EXPECT_EQ(report->epochs[epoch].held_out_total, 30u);
    EXPECT_EQ(report->epochs[epoch].held_out_correct, on_all->epochs[epoch].test_correct);
    EXPECT_EQ(report->epochs[epoch].test_total, tested[epoch]);
  }
  EXPECT_EQ(report->epochs.back().test_correct,
            Evaluate(*watched->MakePredictor(), 3, test).correct);
}

TEST(FitTest, TakesTheSamplesInTheirOrderIfThePlanSaysSo) {
  const Dataset data = SmallData(10);
  std::vector<uint32_t> order(10);
  for (uint32_t i = 0; i < 10; ++i) order[i] = i;
  const auto by_hand = Make(SmallSpec());
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (const auto& [first, rows] : {std::pair{0, 4}, {4, 4}, {8, 2}}) {
      StepByHand(*by_hand, data, order, static_cast<size_t>(first), static_cast<size_t>(rows));
    }
  }
  const auto fitted = Make(SmallSpec());
  FitObserver nobody;
  ASSERT_TRUE(
      Fit(*fitted, {data}, {.epochs = 2, .shuffle_seed = 1, .in_order = true}, nobody).ok());
  EXPECT_EQ(State(*fitted), State(*by_hand));
}

TEST(FitTest, AnotherSeedGivesAnotherModel) {
  const Dataset data = SmallData(30);
  FitObserver nobody;
  const auto a = Make(SmallSpec());
  const auto b = Make(SmallSpec());
  ASSERT_TRUE(Fit(*a, {data}, {.epochs = 2, .shuffle_seed = 1}, nobody).ok());
  ASSERT_TRUE(Fit(*b, {data}, {.epochs = 2, .shuffle_seed = 2}, nobody).ok());
  EXPECT_NE(State(*a), State(*b));
}

TEST(FitTest, GoesOnAfterABreakAsIfThereHadBeenNone) {
  const Dataset data = SmallData(10);
  FitObserver nobody;
  const auto whole = Make(SmallSpec());
  const auto parts = Make(SmallSpec());
  ASSERT_TRUE(Fit(*whole, {data}, {.epochs = 5, .shuffle_seed = 3}, nobody).ok());
  ASSERT_TRUE(Fit(*parts, {data}, {.epochs = 2, .shuffle_seed = 3}, nobody).ok());
  ASSERT_TRUE(Fit(*parts, {data}, {.epochs = 3, .first_epoch = 2, .shuffle_seed = 3}, nobody).ok());
  EXPECT_EQ(State(*whole), State(*parts));
}

TEST(FitTest, CalibratesFromTheFirstSamplesInTrainingOrder) {
  ModelSpec spec = SmallSpec();
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.calibration_samples = 7;
  const Dataset data = SmallData(10);
  const auto order = EpochOrder(5, 0, 10);
  const auto by_hand = Make(spec);
  SampleBuffer first;
  first.Gather(data, std::span(order).first(7));
  by_hand->Calibrate({first.rows(), 7});
  for (const auto& [at, rows] : {std::pair{0, 4}, {4, 4}, {8, 2}}) {
    StepByHand(*by_hand, data, order, static_cast<size_t>(at), static_cast<size_t>(rows));
  }
  const auto fitted = Make(spec);
  FitObserver nobody;
  ASSERT_TRUE(Fit(*fitted, {data}, {.epochs = 1, .shuffle_seed = 5}, nobody).ok());
  EXPECT_EQ(State(*fitted), State(*by_hand));
}

TEST(FitTest, RefusesTooFewSamplesToCalibrate) {
  ModelSpec spec = SmallSpec();
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.calibration_samples = 11;
  const auto learner = Make(spec);
  const auto before = State(*learner);
  FitObserver nobody;
  const auto status = Fit(*learner, {SmallData(10)}, {}, nobody).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("calibration_samples: 11"), absl::string_view::npos) << status;
  EXPECT_EQ(State(*learner), before);
}

TEST(FitTest, RefusesDataThatDoNotFitAndLeavesTheModelAlone) {
  const auto learner = Make(SmallSpec());
  const auto before = State(*learner);
  FitObserver nobody;
  Dataset wrong_type = SmallData(4);
  wrong_type.type = ElementType::kInt8;
  Dataset wrong_shape = SmallData(4);
  wrong_shape.shape = {11};
  wrong_shape.rows.resize(44);
  Dataset wrong_label = SmallData(4);
  wrong_label.labels[3] = 3;
  const Dataset good = SmallData(4);
  const auto expect_refused = [&](const FitData& data, const char* part) {
    const auto status = Fit(*learner, data, {}, nobody).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find(part), absl::string_view::npos) << status;
    EXPECT_EQ(State(*learner), before);
  };
  expect_refused({wrong_type}, "int8 [3,4], but the model's input is uint8 [12]");
  expect_refused({wrong_shape}, "uint8 [11]");
  expect_refused({wrong_label}, "sample 3 has label 3, expected 0 to 2");
  expect_refused({good, &wrong_label}, "test data");
  expect_refused({.train = good, .held_out = &wrong_label}, "held-out data");
}

class CountingObserver : public FitObserver {
 public:
  void OnStep(uint64_t trained, const EpochReport& running) override {
    ++steps;
    last_trained = trained;
    last_running = running.train_total;
  }
  void OnEpoch(const EpochReport&) override { ++epochs; }
  int steps = 0;
  int epochs = 0;
  uint64_t last_trained = 0;
  uint32_t last_running = 0;
};

TEST(FitTest, TellsTheObserverAboutEveryStepAndEpoch) {
  const auto learner = Make(SmallSpec());
  CountingObserver observer;
  ASSERT_TRUE(Fit(*learner, {SmallData(10)}, {.epochs = 2, .shuffle_seed = 1}, observer).ok());
  EXPECT_EQ(observer.steps, 6);
  EXPECT_EQ(observer.epochs, 2);
  EXPECT_EQ(observer.last_trained, 20u);
  EXPECT_EQ(observer.last_running, 10u);
}

ModelSpec SmallReference() {
  ModelSpec spec = SmallSpec();
  spec.pocketnn.profile = PocketNnProfile::kReference;
  return spec;
}

TEST(FitReferenceTest, DropsThePartialMiniBatchAndReshufflesThePersistentOrder) {
  const Dataset data = SmallData(10);
  auto by_hand = MakeReferenceRun(SmallReference());
  ASSERT_TRUE(by_hand.ok()) << by_hand.status();
  for (int epoch = 0; epoch < 3; ++epoch) {
    const auto borrowed = (*by_hand)->NextEpochOrder(10);
    const std::vector<uint32_t> order(borrowed.begin(), borrowed.end());
    for (const size_t first : {0u, 4u}) StepByHand((*by_hand)->learner(), data, order, first, 4);
  }
  auto fitted = MakeReferenceRun(SmallReference());
  ASSERT_TRUE(fitted.ok());
  FitObserver nobody;
  const auto report = FitReference(**fitted, {data}, 3, nobody);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->epochs[2].train_total, 8u);
  EXPECT_EQ(State((*fitted)->learner()), State((*by_hand)->learner()));
}

TEST(FitReferenceTest, RefusesLessThanOneMiniBatch) {
  auto run = MakeReferenceRun(SmallReference());
  ASSERT_TRUE(run.ok());
  FitObserver nobody;
  const auto status = FitReference(**run, {SmallData(3)}, 1, nobody).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("one mini-batch of 4"), absl::string_view::npos) << status;
}

TEST(PlanTrainingTest, DefaultsToTheSpecsScheduleAndSeed) {
  const auto plan = PlanTraining(SmallSpec(), 30, {});  // 20 mini-batches of 4 over 30 samples
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->epochs, 3u);
  EXPECT_EQ(plan->first_epoch, 0u);
  EXPECT_EQ(plan->shuffle_seed, 7u);
}

TEST(PlanTrainingTest, GoesOnToTheEndOfTheSchedule) {
  const auto plan = PlanTraining(SmallSpec(), 30, {.first_epoch = 1});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->epochs, 2u);
  const auto over = PlanTraining(SmallSpec(), 30, {.first_epoch = 3});
  EXPECT_EQ(over.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(over.status().message().find("ends after 3 epochs"), absl::string_view::npos);
}

TEST(PlanTrainingTest, TakesWhatIsAskedFor) {
  const auto plan =
      PlanTraining(SmallSpec(), 30, {.epochs = 9, .first_epoch = 4, .shuffle_seed = 0});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->epochs, 9u);
  EXPECT_EQ(plan->first_epoch, 4u);
  EXPECT_EQ(plan->shuffle_seed, 0u);
  EXPECT_FALSE(PlanTraining(SmallSpec(), 30, {.epochs = 0}).ok());
  EXPECT_FALSE(PlanTraining(SmallSpec(), 30, {.epochs = 2, .first_epoch = UINT32_MAX}).ok());
}

TEST(EvaluateTest, CountsWhatThePredictorSaysRowByRow) {
  const Dataset data = SmallData(130);  // two blocks of rows and a rest
  const auto learner = Make(SmallSpec());
  FitObserver nobody;
  ASSERT_TRUE(Fit(*learner, {SmallData(30)}, {.epochs = 5, .shuffle_seed = 1}, nobody).ok());
  const auto predictor = learner->MakePredictor();
  Evaluation expected;
  for (uint32_t i = 0; i < data.count(); ++i) {
    std::vector<int32_t> scores(3);
    predictor->Predict({data.row(i), 1}, scores);
    expected.correct += ArgMax(scores) == data.labels[i] ? 1 : 0;
    expected.loss += predictor->Loss(scores, data.labels[i]);
  }
  const Evaluation actual = Evaluate(*predictor, 3, data);
  EXPECT_EQ(actual.total, 130u);
  EXPECT_EQ(actual.correct, expected.correct);
  EXPECT_EQ(actual.loss, expected.loss);
}

TEST(FitReportTest, SpeedSurvivesTinyAndHugeRuns) {
  FitReport report;
  EXPECT_EQ(report.SamplesPerSecond(), 0u);
  report.trained_samples = 60000;
  report.training_ns = 3'000'000'000;
  EXPECT_EQ(report.SamplesPerSecond(), 20000u);
  report.trained_samples = uint64_t{1} << 40;
  report.training_ns = 1;
  EXPECT_EQ(report.SamplesPerSecond(), UINT32_MAX);
}

}  // namespace
}  // namespace tally
