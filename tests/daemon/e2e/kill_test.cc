// Goal: kill -9 of the real daemon, at any moment of a streamed training, loses nothing and
// teaches nothing twice (promise P3): the digest is that of a run that was never interrupted.
// Method: a client trains small models over several epochs with partial mini-batches; the daemon
// is killed at 60 seeded random points of the trainings, a third of them right after a restart,
// in the middle of its recovery. Every algorithm has its share. TALLY_LONG=1 multiplies kills and
// training by 10.

#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "client/cli/remote.h"
#include "tests/daemon/e2e/process.h"
#include "tests/daemon/e2e/small_world.h"
#include "tests/daemon/e2e/training_under_watch.h"
#include "tests/support/each_algorithm.h"

namespace tally::e2e {
namespace {

// Checkpoints as often as possible, so that kills hit them too; small segments of history are
// replayed.
constexpr char kSettings[] =
    "checkpoint:\n  replay: 100 ms\n  interval: 50 ms\ntraining:\n  digest_interval_steps: 10\n";

struct Scenario {
  ModelSpec spec;
  v1::Durability durability = v1::DURABILITY_DURABLE;
  uint32_t seed = 0;
  uint32_t samples = 0;
  uint32_t epochs = 0;
};

uint32_t Scale() { return getenv("TALLY_LONG") == nullptr ? 1 : 10; }
uint32_t KillsWanted() { return 10 * Scale(); }

// What is random in a scenario.
class Fate {
 public:
  explicit Fate(uint32_t seed) : random_(seed) {}
  bool OneIn(uint32_t n) { return random_() % n == 0; }
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  // Not a wait for anything: it moves the moment of the kill away from the acknowledgement.
  void LetTimePass(uint32_t microseconds_max) {
    usleep(static_cast<useconds_t>(random_() % microseconds_max));
  }

 private:
  std::mt19937 random_;
};

void ExpectNothingDurableWasLost(const Daemon& daemon, uint64_t durable) {
  const auto source = daemon.client().GetSource("small", "s");
  ASSERT_TRUE(source.ok()) << source.status() << "\n" << daemon.log();
  ASSERT_GE(source->accepted_through(), durable);
}

void KillAgainAndAgain(Daemon& daemon, TrainingUnderWatch& training, uint64_t total, Fate& fate) {
  const uint32_t wanted = KillsWanted();
  for (uint32_t kills = 0; kills < wanted;) {
    const uint64_t accepted = training.accepted();
    const uint64_t step = (total - accepted) / (wanted - kills + 1);
    const uint64_t target = accepted + step / 2 + fate.Below(step + 1);
    training.HoldBeyond(target + step / 4);
    ASSERT_TRUE(training.WaitForAccepted(target))
        << "the training ended after " << kills << " kills: " << training.Join().status() << "\n"
        << daemon.log();
    fate.LetTimePass(3000);
    const uint64_t durable = training.durable();
    daemon.Kill();
    daemon.Launch();
    ++kills;
    if (fate.OneIn(2) && kills < wanted) {
      fate.LetTimePass(30000);
      daemon.Kill();
      daemon.Launch();
      ++kills;
    }
    ExpectNothingDurableWasLost(daemon, durable);
    if (::testing::Test::HasFatalFailure()) return;
  }
  training.HoldBeyond(UINT64_MAX);
}

void TrainThroughKills(const Scenario& scenario) {
  const Dataset dataset = SmallData(scenario.samples);
  const TrainingPlan plan{.epochs = scenario.epochs * Scale(), .shuffle_seed = 11};
  const uint64_t total = uint64_t{scenario.samples} * plan.epochs;
  Daemon daemon(kSettings);
  daemon.Start();
  const auto model = daemon.client().Create("small", cli::SpecToMessage(scenario.spec));
  ASSERT_TRUE(model.ok()) << model.status() << "\n" << daemon.log();

  TrainingUnderWatch training(daemon.client(), dataset,
                              {.model = "small",
                               .source = "s",
                               .plan = plan,
                               .batch_rows = 5,
                               .durability = scenario.durability,
                               .window_bytes = 300},
                              /*hold_beyond=*/0);
  Fate fate(scenario.seed);
  KillAgainAndAgain(daemon, training, total, fate);
  if (::testing::Test::HasFatalFailure()) {
    daemon.Kill();
    _exit(1);  // the training would wait for the daemon for a long time
  }
  const auto& report = training.Join();
  ASSERT_TRUE(report.ok()) << report.status() << "\n" << daemon.log();
  EXPECT_EQ(report->last_flush.state_digest(), ExpectedDigest(scenario.spec, dataset, plan));
  EXPECT_EQ(report->last_flush.prequential().seen(), total);
  EXPECT_GE(report->interruptions, KillsWanted() / 3);
}

class KillTest : public testing::EachAlgorithmTest {};

TEST_P(KillTest, DurableTrainingSurvivesKills) {
  TrainThroughKills({.spec = SmallSpec(GetParam()), .seed = 1, .samples = 2003, .epochs = 5});
}

TEST_P(KillTest, BufferedTrainingSurvivesKills) {
  TrainThroughKills({.spec = OtherSpec(GetParam()),
                     .durability = v1::DURABILITY_BUFFERED,
                     .seed = 2,
                     .samples = 517,
                     .epochs = 20});
}

TEST_P(KillTest, CalibrationSurvivesKills) {
  TrainThroughKills(
      {.spec = CalibratedSpec(GetParam(), 4500), .seed = 3, .samples = 5003, .epochs = 2});
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, KillTest, testing::EachAlgorithm(), testing::AlgorithmName);

}  // namespace
}  // namespace tally::e2e
