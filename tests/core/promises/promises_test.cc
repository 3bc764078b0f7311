// Goal: every learner keeps the promises of learner.h, whatever its algorithm and options: equal
// samples give equal states on any number of threads (P2), a restored one goes on as if nothing had
// happened (P3), rows do not touch each other in prediction (P4), ranks change nothing, memory is
// bounded (P6). Method: pairs of learners that must agree, over every case of cases.h; threads as
// ranks; an allocation hook.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "core/parallel/worker_pool.h"
#include "tests/core/promises/cases.h"
#include "tests/support/allocation_hook.h"
#include "tests/support/each_algorithm.h"
#include "tests/support/learner_probe.h"
#include "tests/support/thread_collective.h"

namespace tally {
namespace {

using test::LearnerCase;
using test::RandomSamples;
using test::ReadState;
using test::Samples;
using test::State;

constexpr size_t kBatch = 6;
constexpr size_t kClasses = 3;

std::unique_ptr<Learner> Make(const ModelSpec& spec, const LearnerEnvironment& environment = {}) {
  auto learner = MakeLearner(spec, environment);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

class PromisesTest : public ::testing::TestWithParam<LearnerCase> {
 protected:
  const ModelSpec& spec() const { return GetParam().spec; }

  // Calibrated on the first samples if it wants that.
  std::unique_ptr<Learner> Ready(const LearnerEnvironment& environment = {}) const {
    auto learner = Make(spec(), environment);
    Calibrate(*learner);
    return learner;
  }
  void Calibrate(Learner& learner) const {
    const uint32_t wanted = learner.calibration_samples_wanted();
    if (wanted > 0) learner.Calibrate(samples_.Rows(0, wanted));
  }
  // Mini-batches of kBatch rows, and of fewer if `partial`, from the samples in turn.
  StepReport Step(Learner& learner, size_t step, bool partial = false) const {
    const size_t count = partial ? 1 + step % kBatch : kBatch;
    const size_t first = step * kBatch % (samples_.labels.size() - kBatch);
    return learner.TrainStep(samples_.Rows(first, count), samples_.Labels(first, count));
  }
  void Train(Learner& learner, size_t first_step, size_t steps) const {
    for (size_t step = first_step; step < first_step + steps; ++step) Step(learner, step);
  }
  std::vector<int32_t> Scores(const Predictor& predictor, size_t first, size_t rows) const {
    std::vector<int32_t> scores(rows * kClasses);
    predictor.Predict(samples_.Rows(first, rows), scores);
    return scores;
  }

  const Samples samples_ = RandomSamples(GetParam().spec, 100, 1);
};

TEST_P(PromisesTest, EqualSpecsAndSamplesGiveEqualStates) {
  const auto one = Ready();
  const auto two = Ready();
  Train(*one, 0, 30);
  Train(*two, 0, 30);
  EXPECT_EQ(ReadState(*one, true), ReadState(*two, true));
  EXPECT_EQ(one->step(), 30u);
  ModelSpec other = spec();
  ++other.seed;
  EXPECT_NE(ReadState(*Make(other)), ReadState(*Make(spec())));
}

TEST_P(PromisesTest, LearningMovesTheState) {
  const auto learner = Ready();
  State before = ReadState(*learner);
  Train(*learner, 0, kBatch);
  State after = ReadState(*learner);
  before.erase("step");
  after.erase("step");
  EXPECT_NE(before, after);
}

std::unique_ptr<Learner> Restored(const std::string& bytes) {
  auto checkpoint =
      DecodeCheckpoint(bytes, [](const ModelSpec& stored) { return MakeLearner(stored); });
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return checkpoint.ok() ? std::move(checkpoint->learner) : nullptr;
}

TEST_P(PromisesTest, ARestoredLearnerGoesOnAsIfNothingHadHappened) {
  const auto through = Make(spec());
  auto interrupted = Restored(EncodeCheckpoint(*through, {}));
  ASSERT_NE(interrupted, nullptr) << "before calibration";
  ASSERT_EQ(interrupted->calibration_samples_wanted(), through->calibration_samples_wanted());
  Calibrate(*through);
  Calibrate(*interrupted);
  for (size_t step = 0; step < 25; ++step) {
    interrupted = Restored(EncodeCheckpoint(*interrupted, {{"position", "1"}}));
    ASSERT_NE(interrupted, nullptr);
    ASSERT_EQ(interrupted->step(), step);
    ASSERT_EQ(interrupted->calibration_samples_wanted(), 0u);
    Step(*through, step, /*partial=*/true);
    Step(*interrupted, step, /*partial=*/true);
    ASSERT_EQ(EncodeCheckpoint(*through, {}), EncodeCheckpoint(*interrupted, {})) << step;
  }
  const auto scores = Scores(*through->MakePredictor(), 0, 100);
  EXPECT_EQ(Scores(*interrupted->MakePredictor(), 0, 100), scores);
  EXPECT_NE(scores, std::vector<int32_t>(100 * kClasses, 0));
}

TEST_P(PromisesTest, AnyNumberOfRanksGivesTheStateOfOne) {
  const auto alone = Ready();
  int64_t alone_loss = 0;
  for (size_t step = 0; step < 10; ++step) alone_loss += Step(*alone, step).loss;
  const State wanted = ReadState(*alone);
  for (const size_t ranks : {size_t{1}, size_t{2}, size_t{3}}) {
    test::ThreadCollective collective(ranks);
    std::vector<std::thread> threads;
    for (size_t rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        test::ThreadCollective::Rank mine(collective, rank);
        const auto learner = Ready({.collective = &mine});
        const size_t share = kBatch / ranks;
        int64_t loss = 0;
        for (size_t step = 0; step < 10; ++step) {
          const size_t first = step * kBatch + rank * share;
          loss +=
              learner->TrainStep(samples_.Rows(first, share), samples_.Labels(first, share)).loss;
        }
        EXPECT_EQ(ReadState(*learner), wanted) << ranks << " ranks, rank " << rank;
        EXPECT_EQ(loss, alone_loss);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
}

// Large enough to be shared among threads.
ModelSpec Large(ModelSpec spec) {
  const bool images = spec.layers.front().kind == LayerKind::kConv2d;
  spec.batch_size = images ? 256 : 1000;
  spec.layers.front().units = images ? 64 : 1000;
  return spec;
}

std::vector<uint32_t> ToVector(std::span<const uint32_t> values) {
  return {values.begin(), values.end()};
}

TEST_P(PromisesTest, AnyNumberOfThreadsLearnsTheSame) {
  const ModelSpec large = Large(spec());
  const Samples samples = RandomSamples(large, large.batch_size, 3);
  for (const size_t threads : {size_t{2}, size_t{5}}) {
    WorkerPool workers(threads);
    const auto learner = Make(large, {.workers = &workers});
    const auto again = Make(large);
    Calibrate(*learner);
    Calibrate(*again);
    // A whole mini-batch, and one with fewer rows than threads.
    for (const size_t rows : {size_t{large.batch_size}, size_t{3}}) {
      const StepReport wanted = again->TrainStep(samples.Rows(0, rows), samples.Labels(0, rows));
      const StepReport report = learner->TrainStep(samples.Rows(0, rows), samples.Labels(0, rows));
      EXPECT_EQ(report.loss, wanted.loss);
      EXPECT_EQ(report.correct, wanted.correct);
      EXPECT_EQ(ToVector(report.predictions), ToVector(wanted.predictions));
      ASSERT_EQ(ReadState(*learner, true), ReadState(*again, true)) << threads << " threads";
    }
  }
}

TEST_P(PromisesTest, ScoresOfARowDoNotDependOnTheRowsAroundIt) {
  const auto learner = Ready();
  Train(*learner, 0, 30);
  const auto predictor = learner->MakePredictor();
  const std::vector<int32_t> together = Scores(*predictor, 0, 100);
  std::mt19937_64 random(5);
  for (int trial = 0; trial < 10; ++trial) {
    std::vector<size_t> order(100);
    std::iota(order.begin(), order.end(), size_t{0});
    std::shuffle(order.begin(), order.end(), random);
    for (size_t first = 0; first < order.size();) {
      const size_t count = std::min<size_t>(1 + random() % 40, order.size() - first);
      std::vector<std::byte> bytes;
      std::vector<int32_t> wanted;
      for (size_t i = first; i < first + count; ++i) {
        const auto row = samples_.Rows(order[i], 1).bytes;
        bytes.insert(bytes.end(), row.begin(), row.end());
        const auto scores = together.begin() + static_cast<ptrdiff_t>(order[i] * kClasses);
        wanted.insert(wanted.end(), scores, scores + kClasses);
      }
      std::vector<int32_t> scores(count * kClasses);
      predictor->Predict({bytes, count}, scores);
      ASSERT_EQ(scores, wanted) << count << " rows";
      first += count;
    }
  }
}

TEST_P(PromisesTest, APredictorIsACopyThatLaterTrainingDoesNotTouch) {
  const auto learner = Ready();
  Train(*learner, 0, 5);
  const auto predictor = learner->MakePredictor();
  const std::vector<int32_t> before = Scores(*predictor, 0, 100);
  Train(*learner, 5, 20);
  EXPECT_EQ(Scores(*predictor, 0, 100), before);
  EXPECT_NE(Scores(*learner->MakePredictor(), 0, 100), before);
}

// Whether a row looks the same in training as in prediction.
bool TrainsOnWhatIsThere(const ModelSpec& spec) {
  return spec.augmentation == AugmentationSpec() &&
         std::none_of(spec.layers.begin(), spec.layers.end(),
                      [](const LayerSpec& layer) { return layer.kind == LayerKind::kDropout; });
}

TEST_P(PromisesTest, APredictorsLossIsTheOneThatTrainingReports) {
  if (!TrainsOnWhatIsThere(spec())) GTEST_SKIP() << "training changes rows at random";
  const auto learner = Ready();
  Train(*learner, 0, 5);
  for (size_t row = 0; row < 20; ++row) {
    const auto predictor = learner->MakePredictor();
    const std::vector<int32_t> scores = Scores(*predictor, row, 1);
    const StepReport report = learner->TrainStep(samples_.Rows(row, 1), samples_.Labels(row, 1));
    EXPECT_EQ(report.predictions[0], ArgMax(scores));
    EXPECT_EQ(report.correct, ArgMax(scores) == samples_.labels[row] ? 1u : 0u);
    EXPECT_EQ(report.loss, predictor->Loss(scores, samples_.labels[row]));
  }
}

TEST_P(PromisesTest, StepsAndPredictionsAllocateNothing) {
  const auto learner = Ready();
  Train(*learner, 0, 1);
  const auto predictor = learner->MakePredictor();
  std::vector<int32_t> scores(100 * kClasses);
  predictor->Predict(samples_.Rows(0, 100), scores);  // a thread's first call may
  const uint64_t before = test::Allocations();
  Train(*learner, 1, 20);
  predictor->Predict(samples_.Rows(0, 100), scores);
  EXPECT_EQ(test::Allocations(), before);
}

TEST_P(PromisesTest, LearnerBytesCoverWhatALearnerAllocatesAndLittleMore) {
  // Large enough for small blocks not to matter.
  const ModelSpec large = Large(spec());
  for (const size_t threads : {size_t{1}, size_t{3}}) {
    WorkerPool workers(threads);
    const uint64_t before = test::AllocatedBytes();
    const auto learner = Make(large, {.workers = &workers});
    const uint64_t used = test::AllocatedBytes() - before;
    EXPECT_GE(LearnerBytes(large, threads), used);
    EXPECT_LE(LearnerBytes(large, threads), used + used / 20 + 40000);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryLearner, PromisesTest, ::testing::ValuesIn(test::LearnerCases()),
                         [](const auto& learner) { return learner.param.name; });

std::set<std::string> AlgorithmsOfTheZoo() {
  std::set<std::string> algorithms;
  for (const std::string& name : ZooNames()) algorithms.insert(ZooSpec(name)->algorithm);
  return algorithms;
}

TEST(EachAlgorithmTest, IsEveryAlgorithmOfTheZoo) {
  const auto list = testing::Algorithms();
  EXPECT_EQ(std::set<std::string>(list.begin(), list.end()), AlgorithmsOfTheZoo());
}

TEST(LearnerCasesTest, HaveEveryAlgorithmOfTheZoo) {
  std::set<std::string> algorithms;
  for (const LearnerCase& learner : test::LearnerCases()) algorithms.insert(learner.spec.algorithm);
  EXPECT_EQ(algorithms, AlgorithmsOfTheZoo());
}

}  // namespace
}  // namespace tally
