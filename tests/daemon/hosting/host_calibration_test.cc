// Goal: input constants come from the first samples of the journal, whatever packets or restarts
// lie between. Method: a calibrated tiny model against a plain trainer that sees all samples at
// once.

#include "tests/daemon/hosting/host_fixture.h"

namespace tally::hosting {
namespace {

using ::testing::HasSubstr;

class HostCalibrationTest : public HostTest {
 protected:
  HostCalibrationTest() { Create(Spec()); }
  static ModelSpec Spec() { return Tiny(kModel, /*batch_size=*/4, /*calibration_samples=*/10); }

  std::string PlainDigest(uint32_t samples) {
    PlainTrainer plain(Spec());
    plain.Add(TinyPacket("a", 1, samples));
    plain.Flush();
    return plain.Digest();
  }
};

TEST_P(HostCalibrationTest, CollectsAcrossPackets) {
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kCalibrating);
  EXPECT_EQ(host_->status().detail, "calibrating 0/10");
  Send("a", 1, 4);
  Send("a", 5, 3);
  Settle();
  EXPECT_EQ(host_->status().detail, "calibrating 7/10");
  EXPECT_EQ(host_->status().trained_position, 0u);
  EXPECT_EQ(host_->snapshot(), nullptr);
  Send("a", 8, 6);
  Settle();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(host_->status().step, 3u);
  EXPECT_NE(host_->snapshot(), nullptr);
  EXPECT_EQ(Flush().state_digest, PlainDigest(13));
}

TEST_P(HostCalibrationTest, RefusesAFlushUntilEnoughSamplesAreAccepted) {
  Start();
  Send("a", 1, 7);
  const absl::Status early = host_->Flush(Soon()).status();
  EXPECT_EQ(early.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(early.message()), HasSubstr("calibrating 7/10"));
  // Accepted is enough: the flush lies behind the samples in the journal.
  Send("a", 8, 3);
  EXPECT_EQ(Flush().state_digest, PlainDigest(10));
}

TEST_P(HostCalibrationTest, ContinuesAcrossARestart) {
  Start();
  Send("a", 1, 6);
  Settle();
  EXPECT_EQ(Checkpoint().position, 0u);
  Restart();
  EXPECT_EQ(host_->status().detail, "calibrating 6/10");
  EXPECT_EQ(host_->Flush(Soon()).status().code(), absl::StatusCode::kFailedPrecondition);
  Send("a", 7, 5);
  Settle();
  const std::string before = Digest();
  CrashAndRestart(storage::CrashKind::kKill);
  EXPECT_EQ(Digest(), before);
  EXPECT_EQ(Flush().state_digest, PlainDigest(11));
}

TEST_P(HostCalibrationTest, KeepsItsConstantsInTheCheckpoint) {
  Start();
  Send("a", 1, 14);
  Settle();
  EXPECT_EQ(Checkpoint().position, 12u);
  Restart();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(Flush().state_digest, PlainDigest(14));
}

TEST_P(HostCalibrationTest, CollectsAnewAfterARollbackToTheBeginning) {
  Start();
  Send("a", 1, 14);
  Settle();
  Rollback(0);
  EXPECT_EQ(host_->status().state, ModelState::kCalibrating);
  EXPECT_EQ(host_->snapshot(), nullptr);
  EXPECT_EQ(host_->Flush(Soon()).status().code(), absl::StatusCode::kFailedPrecondition);
  Send("a", 15, 12);
  const std::string after = Flush().state_digest;
  PlainTrainer plain(Spec());
  plain.Add(TinyPacket("a", 15, 12));
  plain.Flush();
  EXPECT_EQ(after, plain.Digest());
  CrashAndRestart(storage::CrashKind::kPowerLoss);
  EXPECT_EQ(Digest(), after);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, HostCalibrationTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
