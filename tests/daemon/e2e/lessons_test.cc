// Goal: what users of online learners reported as broken works here: saving has no side effect
// (Vowpal Wabbit #641, #413), parallel saves are safe (#627), the model survives pressure
// (#628), many models live in one process (#1231), prediction changes nothing (River #1011).
// Method: a model is disturbed in each of these ways while it learns; its digest must be that of
// a model left in peace.

#include <gtest/gtest.h>

#include <atomic>
#include <sstream>
#include <thread>

#include "client/cli/remote.h"
#include "core/checkpoint/checkpoint.h"
#include "tests/daemon/e2e/process.h"
#include "tests/daemon/e2e/small_world.h"
#include "tests/daemon/e2e/training_under_watch.h"
#include "tests/support/each_algorithm.h"

namespace tally::e2e {
namespace {

constexpr TrainingPlan kPlan{.epochs = 20, .shuffle_seed = 3};

class LessonsTest : public testing::EachAlgorithmTest {
 protected:
  LessonsTest() : dataset_(SmallData(503)) { daemon_.Start(); }

  void Create(const std::string& name, const ModelSpec& spec) {
    const auto model = daemon_.client().Create(name, cli::SpecToMessage(spec));
    ASSERT_TRUE(model.ok()) << model.status() << daemon_.log();
  }

  cli::RemoteTrainingOptions Training(const std::string& model) const {
    return {.model = model, .source = "s", .plan = kPlan, .batch_rows = 5, .window_bytes = 2000};
  }

  void ExpectUndisturbed(const absl::StatusOr<cli::RemoteTrainingReport>& report,
                         const ModelSpec& spec) const {
    ASSERT_TRUE(report.ok()) << report.status() << daemon_.log();
    EXPECT_EQ(report->last_flush.state_digest(), ExpectedDigest(spec, dataset_, kPlan));
    EXPECT_EQ(report->last_flush.prequential().seen(), 503u * kPlan.epochs);
  }

  const Client& client() const { return daemon_.client(); }

  Daemon daemon_;
  const Dataset dataset_;
};

TEST_P(LessonsTest, SavingHasNoSideEffect) {
  Create("small", SmallSpec(GetParam()));
  // Time for two saves at least.
  TrainingUnderWatch training(client(), dataset_, Training("small"), /*hold_beyond=*/800);
  uint32_t saves = 0;
  for (uint64_t at = 100; training.WaitForAccepted(at); at += 500) {
    if (saves == 1) training.HoldBeyond(UINT64_MAX);
    const auto saved = client().Checkpoint("small");
    ASSERT_TRUE(saved.ok()) << saved.status();
    ++saves;
  }
  ExpectUndisturbed(training.Join(), SmallSpec(GetParam()));
  EXPECT_GE(saves, 2u) << "the training was too quick to be disturbed";
  const std::string digest = client().Digest("small")->state_digest();
  const auto saved = client().Checkpoint("small");
  ASSERT_TRUE(saved.ok());
  EXPECT_EQ(saved->state_digest(), digest);
  EXPECT_EQ(client().Digest("small")->state_digest(), digest);
}

TEST_P(LessonsTest, SavesAtTheSameTimeAreAllWhole) {
  Create("small", SmallSpec(GetParam()));
  TrainingUnderWatch training(client(), dataset_, Training("small"), /*hold_beyond=*/5000);
  ASSERT_TRUE(training.WaitForAccepted(50));
  std::atomic<uint32_t> whole = 0;
  std::vector<std::thread> savers;
  for (int i = 0; i < 8; ++i) {
    savers.emplace_back([&] {
      for (int save = 0; save < 4; ++save) {
        std::ostringstream file;
        const auto saved = client().Export("small", std::nullopt, file);
        ASSERT_TRUE(saved.ok()) << saved.status();
        const auto digest = FileDigestOf(file.view());
        ASSERT_TRUE(digest.ok()) << digest.status();
        EXPECT_EQ(*digest, saved->file_digest());
        EXPECT_EQ(file.view().size(), saved->size_bytes());
        ++whole;
      }
    });
  }
  training.HoldBeyond(UINT64_MAX);
  for (std::thread& saver : savers) saver.join();
  EXPECT_EQ(whole, 32u);
  ExpectUndisturbed(training.Join(), SmallSpec(GetParam()));
}

TEST_P(LessonsTest, PredictingAndMeasuringChangesNothing) {
  Create("small", SmallSpec(GetParam()));
  TrainingUnderWatch training(client(), dataset_, Training("small"));
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) {
      InferQuery query{.model = "small", .rows = 20, .bytes = RowBytes(dataset_, 0, 20)};
      const auto answer = client().Infer(query);
      ASSERT_TRUE(answer.ok()) << answer.status();
      bool sent = false;
      const auto measured = client().Evaluate("small", 0, [&](LabelledRows& packet) {
        packet.rows = RowBytes(dataset_, 0, 20);
        packet.labels.assign(dataset_.labels.begin(), dataset_.labels.begin() + 20);
        return !std::exchange(sent, true);
      });
      ASSERT_TRUE(measured.ok()) << measured.status();
    }
  });
  training.Join();
  stop = true;
  reader.join();
  ExpectUndisturbed(training.Join(), SmallSpec(GetParam()));
  // At rest, the same question has the same answer for ever.
  const InferQuery query{.model = "small", .rows = 20, .bytes = RowBytes(dataset_, 0, 20)};
  const auto first = client().Infer(query);
  ASSERT_TRUE(first.ok());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(client().Infer(query)->scores, first->scores);
}

TEST_P(LessonsTest, ManyModelsLearnInOneProcessWithoutTouchingEachOther) {
  const std::vector<ModelSpec> specs = {SmallSpec(GetParam()), OtherSpec(GetParam()),
                                        CalibratedSpec(GetParam(), 100)};
  std::vector<std::unique_ptr<TrainingUnderWatch>> trainings;
  for (size_t i = 0; i < 9; ++i) {
    const std::string name = "m" + std::to_string(i);
    Create(name, specs[i % 3]);
    trainings.push_back(std::make_unique<TrainingUnderWatch>(client(), dataset_, Training(name)));
  }
  for (size_t i = 0; i < 9; ++i) ExpectUndisturbed(trainings[i]->Join(), specs[i % 3]);
  daemon_.Kill();
  daemon_.Start();
  for (size_t i = 0; i < 9; ++i) {
    const auto digest = client().Digest("m" + std::to_string(i));
    ASSERT_TRUE(digest.ok()) << digest.status() << daemon_.log();
    EXPECT_EQ(digest->state_digest(), ExpectedDigest(specs[i % 3], dataset_, kPlan));
  }
}

TEST_P(LessonsTest, SourcesThatRetryWildlyTeachEverySampleOnce) {
  Create("small", SmallSpec(GetParam()));
  // Four clients push the same packets of one source at once, each from the beginning, again and
  // again.
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (size_t begin = 0; begin < 500; begin += 5) {
        v1::TrainRequest request;
        request.set_model("small");
        request.set_source("s");
        request.mutable_samples()->set_first_sequence(begin + 1);
        request.mutable_samples()->set_rows(RowBytes(dataset_, begin, begin + 5));
        for (size_t row = begin; row < begin + 5; ++row) {
          request.mutable_samples()->add_labels(dataset_.labels[row]);
        }
        const auto kept = client().Train(request);
        ASSERT_TRUE(kept.ok()) << kept.status();
        EXPECT_EQ(kept->accepted() + kept->skipped(), 5u);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const auto flush = client().Flush("small");
  ASSERT_TRUE(flush.ok());
  EXPECT_EQ(flush->prequential().seen(), 500u);
  EXPECT_EQ(client().GetSource("small", "s")->accepted_through(), 500u);
}

TEST_P(LessonsTest, TheInputsThatMadeAModelAreKeptWithIt) {
  Create("small", SmallSpec(GetParam()));
  TrainingUnderWatch training(client(), dataset_, Training("small"));
  ExpectUndisturbed(training.Join(), SmallSpec(GetParam()));
  const auto digest = client().Digest("small");
  const auto model = client().Get("small");
  ASSERT_TRUE(digest.ok() && model.ok());
  EXPECT_EQ(model->trained_position(), model->accepted_position());
  EXPECT_EQ(model->durable_position(), model->accepted_position());
  EXPECT_GT(model->journal_bytes(), 503u * kPlan.epochs * 12) << "the rows themselves are there";
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, LessonsTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::e2e
