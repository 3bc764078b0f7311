// Goal: a rollback gives back the old state exactly, and is replayed like any other record.
// Method: roll back, train on, restart, and compare with a plain trainer that never saw what was
// dropped.

#include "tests/daemon/hosting/host_fixture.h"

namespace tally::hosting {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class HostRollbackTest : public HostTest {
 protected:
  HostRollbackTest() { Create(Tiny(kModel, /*batch_size=*/4)); }
};

TEST_P(HostRollbackTest, RestoresTheStateAndTrainsOnFromThere) {
  Start();
  Send("a", 1, 20);
  Settle();
  const CheckpointInfo good = Checkpoint();
  Send("a", 21, 20);
  Settle();
  EXPECT_NE(Digest(), good.state_digest);
  const CheckpointInfo back = Rollback(good.position);
  EXPECT_EQ(back.state_digest, good.state_digest);
  EXPECT_EQ(back.step, good.step);
  EXPECT_GT(back.position, 40u);
  EXPECT_EQ(Digest(), good.state_digest);
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(host_->snapshot()->position, back.position);
  EXPECT_EQ(host_->snapshot()->state_digest, good.state_digest);
  Send("a", 41, 9);  // sequences go on
  const std::string after = Flush().state_digest;
  PlainTrainer plain(Tiny(kModel));
  plain.Add(TinyPacket("a", 1, 20));
  plain.Add(TinyPacket("a", 41, 9));
  plain.Flush();
  EXPECT_EQ(after, plain.Digest());
  Restart();
  EXPECT_EQ(Digest(), after);
}

TEST_P(HostRollbackTest, DropsTheOpenMiniBatchAndKeepsSequences) {
  Start();
  Send("a", 1, 8);
  Settle();
  const CheckpointInfo good = Checkpoint();
  Send("a", 9, 3);
  Settle();
  EXPECT_EQ(host_->source("a").trained_through, 8u);
  Rollback(good.position);
  EXPECT_EQ(host_->source("a").accepted_through, 11u);
  // Nobody has to wait for rows that were dropped.
  EXPECT_EQ(host_->source("a").trained_through, 11u);
  EXPECT_EQ(host_->status().prequential.seen, 8u);
  Send("a", 12, 4);
  Settle();
  PlainTrainer plain(Tiny(kModel));
  plain.Add(TinyPacket("a", 1, 8));
  plain.Add(TinyPacket("a", 12, 4));
  EXPECT_EQ(Digest(), plain.Digest());
}

TEST_P(HostRollbackTest, IsReplayedWhenItsOwnGenerationIsLost) {
  options_.digest_interval_steps = 1;
  Start();
  Send("a", 1, 20);
  Settle();
  const CheckpointInfo good = Checkpoint();
  Send("a", 21, 18);
  Settle();
  const CheckpointInfo back = Rollback(good.position);
  Send("a", 39, 10);
  Settle();
  const std::string before = Digest();
  const HostStatus status_before = host_->status();
  Stop();
  Damage(back.position);
  Start();
  ASSERT_EQ(host_->status().state, ModelState::kReady) << host_->status().detail;
  EXPECT_EQ(Digest(), before);
  EXPECT_EQ(host_->status().prequential.seen, status_before.prequential.seen);
  EXPECT_EQ(host_->status().prequential.correct, status_before.prequential.correct);
  EXPECT_EQ(host_->source("a").trained_through, 46u);
}

TEST_P(HostRollbackTest, KeepsTheTargetAsLongAsAReplayMayNeedIt) {
  options_.keep_generations = 2;
  options_.journal.segment_bytes = 256;
  Start();
  Send("a", 1, 20);
  Settle();
  const uint64_t target = Checkpoint().position;
  Send("a", 21, 20);
  Settle();
  const uint64_t before_rollback = Checkpoint().position;
  Send("a", 41, 4);
  Settle();
  Rollback(target);  // keeps before_rollback and its own; replay from the former needs the target
  EXPECT_THAT(KeptPositions(), Contains(before_rollback));
  EXPECT_THAT(KeptPositions(), Contains(target));
  Send("a", 45, 8);
  Settle();
  Checkpoint();  // the rollback's own generation is the oldest that matters now
  EXPECT_THAT(KeptPositions(), Not(Contains(target)));
}

TEST_P(HostRollbackTest, ReplaysStepsThatOccurTwice) {
  options_.digest_interval_steps = 1;
  options_.retain_all = true;
  Start();
  Send("a", 1, 40);
  Settle();
  Rollback(0);
  Send("a", 41, 40);  // steps 1 to 10 again, with other digests
  Settle();
  const std::string before = Digest();
  const std::vector<uint64_t> kept = KeptPositions();
  Stop();
  for (const uint64_t position : kept) {
    if (position != 0) Damage(position);
  }
  Start();
  ASSERT_EQ(host_->status().state, ModelState::kReady) << host_->status().detail;
  EXPECT_EQ(Digest(), before);
}

TEST_P(HostRollbackTest, RefusesAGenerationThatIsNotKept) {
  Start();
  Send("a", 1, 6);
  Settle();
  const uint64_t accepted = host_->status().accepted_position;
  const absl::Status status = host_->Rollback(3, Soon()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("it keeps 0"));
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(host_->status().accepted_position, accepted);
  Send("a", 7, 2);
}

TEST_P(HostRollbackTest, ChangesNothingWhenItsTargetIsDamaged) {
  Start();
  Send("a", 1, 8);
  Settle();
  const std::string before = Digest();
  Damage(0);
  EXPECT_EQ(host_->Rollback(0, Soon()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Digest(), before);
  EXPECT_TRUE(fatal_.empty());
  Restart();
  EXPECT_EQ(host_->status().state, ModelState::kFailed);  // its only generation is damaged
}

TEST_P(HostRollbackTest, FailsReplayWhenTheTargetIsGone) {
  Start();
  Send("a", 1, 8);
  Settle();
  const uint64_t target = Checkpoint().position;
  Send("a", 9, 8);
  Settle();
  const uint64_t back = Rollback(target).position;
  Stop();
  Damage(back);
  Damage(target);
  Start();
  EXPECT_EQ(host_->status().failure, absl::StatusCode::kDataLoss);
  EXPECT_THAT(host_->status().detail, HasSubstr("rollback"));
  EXPECT_EQ(host_->snapshot()->position, 0u);
}

TEST_P(HostRollbackTest, GivesUpWhenTheDeadlinePassesBeforeItBegins) {
  Start();
  testing::HostGate gate(*host_);
  gate.Close();
  Send("a", 1, 4);
  gate.WaitHeld();
  const int64_t deadline_ns = clock_.MonotonicNs() + 1'000'000;
  std::thread mover([this] { clock_.SleepMs(60'000); });
  const absl::Status late = host_->Rollback(0, deadline_ns).status();
  mover.join();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  gate.Open();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  Send("a", 5, 4);
  Settle();
  EXPECT_EQ(host_->status().step, 2u);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, HostRollbackTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
