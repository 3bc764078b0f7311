// Goal: SIGTERM in the middle of a training is no accident: the daemon exits 0 without learning
// or losing anything else, and the client goes on with the next one.
// Method: the real daemon is terminated several times while a client streams; afterwards the
// digest is that of an undisturbed run. Then the same with a daemon that has a partial
// mini-batch open.

#include <gtest/gtest.h>

#include "client/cli/remote.h"
#include "core/arithmetic/shuffle.h"
#include "tests/daemon/e2e/process.h"
#include "tests/daemon/e2e/small_world.h"
#include "tests/daemon/e2e/training_under_watch.h"
#include "tests/support/each_algorithm.h"

namespace tally::e2e {
namespace {

class DrainTest : public testing::EachAlgorithmTest {};

TEST_P(DrainTest, ATrainingSurvivesOrderlyRestartsOfTheDaemon) {
  const Dataset dataset = SmallData(703);
  const TrainingPlan plan{.epochs = 4, .shuffle_seed = 3};
  Daemon daemon;
  daemon.Start();
  ASSERT_TRUE(daemon.client().Create("small", cli::SpecToMessage(SmallSpec(GetParam()))).ok());
  TrainingUnderWatch training(
      daemon.client(), dataset,
      {.model = "small", .source = "s", .plan = plan, .batch_rows = 3, .window_bytes = 600},
      /*hold_beyond=*/0);
  for (uint64_t restart = 1; restart <= 6; ++restart) {
    training.HoldBeyond(restart * 400 + 200);
    ASSERT_TRUE(training.WaitForAccepted(restart * 400)) << training.Join().status();
    const uint64_t durable = training.durable();
    ASSERT_EQ(daemon.Terminate(), 0) << daemon.log();
    daemon.Start();
    const auto source = daemon.client().GetSource("small", "s");
    ASSERT_TRUE(source.ok()) << source.status() << daemon.log();
    EXPECT_GE(source->accepted_through(), durable);
  }
  training.HoldBeyond(UINT64_MAX);
  const auto& report = training.Join();
  ASSERT_TRUE(report.ok()) << report.status() << daemon.log();
  EXPECT_EQ(report->last_flush.state_digest(),
            ExpectedDigest(SmallSpec(GetParam()), dataset, plan));
  EXPECT_EQ(report->last_flush.prequential().seen(), 703u * 4);
}

TEST_P(DrainTest, APartialMiniBatchIsNeitherTrainedNorForgotten) {
  const Dataset dataset = SmallData(10);  // one mini-batch of 7, and 3 samples that wait
  Daemon daemon;
  daemon.Start();
  ASSERT_TRUE(daemon.client().Create("small", cli::SpecToMessage(SmallSpec(GetParam()))).ok());
  auto session = *TrainSession::Open(daemon.client(), {.model = "small", .source = "s"});
  ASSERT_TRUE(session->Send(RowBytes(dataset, 0, 10), dataset.labels).ok());
  ASSERT_TRUE(session->Finish().ok());
  const auto before = daemon.client().Digest("small");
  ASSERT_TRUE(before.ok());
  EXPECT_EQ(before->step(), 1u);
  for (int restart = 0; restart < 2; ++restart) {
    ASSERT_EQ(daemon.Terminate(), 0) << daemon.log();
    daemon.Start();
    const auto after = daemon.client().Digest("small");
    ASSERT_TRUE(after.ok()) << after.status() << daemon.log();
    EXPECT_EQ(after->state_digest(), before->state_digest());
    EXPECT_EQ(after->step(), 1u);
  }
  EXPECT_EQ(daemon.client().Get("small")->prequential().seen(), 7u);
  ASSERT_TRUE(daemon.client().Flush("small").ok());
  EXPECT_EQ(daemon.client().Get("small")->prequential().seen(), 10u);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, DrainTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::e2e
