// Goal: after any stop the model is bit-identical to one that never stopped, or says clearly why it
// cannot be. Method: stop, kill or cut the power of a host in memory, damage its files, start it
// again.

#include "daemon/storage/checkpoint_store.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/model_directory.h"
#include "tests/daemon/hosting/host_fixture.h"
#include "tests/support/ticking_clock.h"

namespace tally::hosting {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HostRecoveryTest : public HostTest {
 protected:
  HostRecoveryTest() { Create(Tiny(kModel, /*batch_size=*/4)); }

  std::string PlainDigest(uint64_t samples) {
    PlainTrainer plain(Tiny(kModel));
    plain.Add(TinyPacket("a", 1, static_cast<uint32_t>(samples)));
    plain.Flush();
    return plain.Digest();
  }
  // Writes a journal by hand.
  void WriteJournal(const std::vector<storage::RecordBody>& bodies) {
    auto journal = storage::Journal::Open(fs_, storage::JournalPath(kStateDir, kModel), {}, 1, {});
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (const storage::RecordBody& body : bodies) ASSERT_TRUE((*journal)->Append(body).ok());
    ASSERT_TRUE((*journal)->Sync().ok());
  }
};

TEST_P(HostRecoveryTest, ContinuesFromACheckpointInTheMiddleOfARecord) {
  Start();
  Send("a", 1, 10);
  Settle();
  EXPECT_EQ(Checkpoint().position, 8u);
  Send("a", 11, 11);
  Settle();
  const std::string before = Digest();
  Restart();
  EXPECT_EQ(Digest(), before);
  EXPECT_EQ(host_->source("a").accepted_through, 21u);
  EXPECT_EQ(host_->source("a").durable_through, 21u);
  EXPECT_EQ(host_->source("a").trained_through, 20u);
  Send("a", 22, 8);
  const ModelHost::FlushResult flushed = Flush();
  EXPECT_EQ(flushed.state_digest, PlainDigest(29));
  EXPECT_EQ(flushed.prequential.seen, 29u);
}

TEST_P(HostRecoveryTest, SurvivesKillWithoutAnySync) {
  Start();
  Send("a", 1, 30);
  Settle();
  CrashAndRestart(storage::CrashKind::kKill);
  EXPECT_EQ(host_->source("a").accepted_through, 30u);
  // What was found is durable now.
  CrashAndRestart(storage::CrashKind::kPowerLoss, 3);
  EXPECT_EQ(host_->source("a").accepted_through, 30u);
  EXPECT_EQ(Flush().state_digest, PlainDigest(30));
}

TEST_P(HostRecoveryTest, KeepsWhatWasDurableThroughAPowerLoss) {
  Start();
  Send("a", 1, 30);
  host_->RequestSync(ModelHost::SyncWish::kNow);
  ASSERT_TRUE(host_->WaitDurable(30, Soon()).ok());
  Send("a", 31, 9);
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    CrashAndRestart(storage::CrashKind::kPowerLoss, seed);
    EXPECT_GE(host_->source("a").accepted_through, 30u);
  }
}

TEST_P(HostRecoveryTest, SavingHasNoSideEffectOnWhatIsLearnt) {
  Start();
  for (uint64_t i = 0; i < 30; ++i) {
    Send("a", 1 + 3 * i, 3);
    Settle();
    const std::string before = Digest();
    const CheckpointInfo saved = Checkpoint();
    EXPECT_EQ(saved.state_digest, before);
    EXPECT_EQ(Digest(), before);
  }
  EXPECT_EQ(Flush().state_digest, PlainDigest(90));
}

TEST_P(HostRecoveryTest, WritesAGenerationOncePerPosition) {
  Start();
  Send("a", 1, 9);
  Settle();
  const CheckpointInfo first = Checkpoint();
  const uint64_t calls = fs_.mutating_calls();
  const CheckpointInfo again = Checkpoint();
  EXPECT_EQ(again.file_digest, first.file_digest);
  EXPECT_EQ(fs_.mutating_calls(), calls);
}

TEST_P(HostRecoveryTest, FallsBackToAnOlderGenerationAndReplays) {
  Start();
  Send("a", 1, 20);
  Settle();
  Checkpoint();
  Send("a", 21, 20);
  Settle();
  const uint64_t newest = Checkpoint().position;
  Send("a", newest, 20);
  Settle();
  const std::string before = Digest();
  Stop();
  Damage(newest);
  Start();
  EXPECT_EQ(Digest(), before);
  EXPECT_THAT(host_->status().detail, HasSubstr("WARNING"));
  EXPECT_THAT(host_->status().detail, HasSubstr(GenerationPath(newest)));
  EXPECT_TRUE(fs_.ReadFile(GenerationPath(newest) + ".damaged").ok());
  EXPECT_THAT(KeptPositions(), ElementsAre(0u, 20u));
}

TEST_P(HostRecoveryTest, ServesButDoesNotTrainWhenEveryWayBackIsDamaged) {
  Start();
  Send("a", 1, 20);
  Settle();
  Checkpoint();
  Stop();
  Damage(0);
  Damage(20);
  Start();
  const HostStatus status = host_->status();
  EXPECT_EQ(status.state, ModelState::kFailed);
  EXPECT_EQ(status.failure, absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.detail, HasSubstr("no generation"));
  EXPECT_EQ(host_->snapshot(), nullptr);
  EXPECT_EQ(host_->Append(TinyPacket("a", 21, 1)).status().code(), absl::StatusCode::kDataLoss);
}

TEST_P(HostRecoveryTest, FailsWhenReplayDoesNotReachTheJournalledDigest) {
  WriteJournal({TinyPacket("a", 1, 10), storage::DigestRecord{2, std::string(64, '5')},
                TinyPacket("a", 11, 3)});
  Start();
  const HostStatus status = host_->status();
  EXPECT_EQ(status.state, ModelState::kFailed);
  EXPECT_EQ(status.failure, absl::StatusCode::kDataLoss);
  EXPECT_THAT(status.detail, HasSubstr("step 2"));
  ASSERT_NE(host_->snapshot(), nullptr);  // the generation that verified
  EXPECT_EQ(host_->snapshot()->position, 0u);
  EXPECT_EQ(host_->Flush(Soon()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->Digest(Soon()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->WaitTrained(99, Soon()).code(), absl::StatusCode::kDataLoss);
  // The remedy that the message names: take the generation out.
  EXPECT_TRUE(host_->ReadCheckpoint(0).ok());
  EXPECT_TRUE(host_->Drain(Soon()).ok());
  EXPECT_TRUE(fatal_.empty());
}

TEST_P(HostRecoveryTest, VerifiesADigestThatLiesBehindLaterSamples) {
  PlainTrainer plain(Tiny(kModel));
  plain.Add(TinyPacket("a", 1, 8));
  const std::string at_step_2 = plain.Digest();
  WriteJournal({TinyPacket("a", 1, 40), storage::DigestRecord{2, at_step_2}});
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(host_->status().digest_point.step, 2u);
  EXPECT_EQ(host_->status().digest_point.state_digest, at_step_2);
}

TEST_P(HostRecoveryTest, FailsOnADigestOfAStepThatItsSamplesDoNotReach) {
  WriteJournal({TinyPacket("a", 1, 8), storage::DigestRecord{3, std::string(64, '5')},
                TinyPacket("a", 9, 8)});
  Start();
  EXPECT_EQ(host_->status().failure, absl::StatusCode::kDataLoss);
  EXPECT_THAT(host_->status().detail, HasSubstr("step 3"));
}

TEST_P(HostRecoveryTest, FailsOnSamplesThatAreNotOfThisModel) {
  storage::SamplesRecord foreign = TinyPacket("a", 1, 2);
  foreign.rows += foreign.rows;
  WriteJournal({foreign});
  Start();
  EXPECT_EQ(host_->status().failure, absl::StatusCode::kDataLoss);
  EXPECT_THAT(host_->status().detail, HasSubstr("does not fit the model"));
}

TEST_P(HostRecoveryTest, FailsWhenTheJournalEndsBeforeTheGeneration) {
  Start();
  Send("a", 1, 20);
  Settle();
  Checkpoint();
  Stop();
  for (const auto& [path, bytes] : fs_.Files()) {
    if (path.find("/journal/") == std::string::npos) continue;
    ASSERT_TRUE(fs_.RemoveFile(path).ok());
  }
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kFailed);
  EXPECT_THAT(host_->status().detail, HasSubstr("ends at position 0"));
  ASSERT_NE(host_->snapshot(), nullptr);
  EXPECT_EQ(host_->snapshot()->position, 20u);
}

TEST_P(HostRecoveryTest, FailsOnDamageInTheMiddleOfTheJournal) {
  Start();
  Send("a", 1, 20);
  Send("a", 21, 20);
  Settle();
  Stop();
  for (const auto& [path, bytes] : fs_.Files()) {
    if (path.find("/journal/") == std::string::npos) continue;
    std::string damaged = bytes;
    damaged[100] ^= 1;
    fs_.WriteRaw(path, damaged);
  }
  Start();
  EXPECT_EQ(host_->status().failure, absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->snapshot()->position, 0u);
}

TEST_P(HostRecoveryTest, PrunesWhatRecoveryDoesNotNeedAndNoMore) {
  options_.journal.segment_bytes = 512;
  options_.keep_generations = 3;
  Start();
  for (uint64_t i = 0; i < 10; ++i) {
    Send("a", 1 + 40 * i, 40);
    Settle();
    Checkpoint();
  }
  const std::vector<uint64_t> kept = KeptPositions();
  ASSERT_EQ(kept.size(), 3u);
  EXPECT_EQ(FilesIn("checkpoints"), 3u);
  const uint64_t oldest = ReadJournal().front().first_position;
  EXPECT_GT(oldest, 1u);
  EXPECT_LE(oldest, kept.front() + 1);
  // Both newer generations may be lost.
  Send("a", 401, 7);
  Settle();
  const std::string before = Digest();
  Stop();
  Damage(kept[1]);
  Damage(kept[2]);
  Start();
  EXPECT_EQ(Digest(), before);
}

TEST_P(HostRecoveryTest, RetainsTheWholeJournalAndItsOriginWhenAsked) {
  options_.journal.segment_bytes = 512;
  options_.retain_all = true;
  Start();
  for (uint64_t i = 0; i < 10; ++i) {
    Send("a", 1 + 40 * i, 40);
    Settle();
    Checkpoint();
  }
  EXPECT_EQ(ReadJournal().front().first_position, 1u);
  const std::vector<uint64_t> kept = KeptPositions();
  ASSERT_EQ(kept.size(), 4u);
  EXPECT_EQ(kept.front(), 0u);
  const std::string before = Digest();
  Stop();
  for (size_t i = 1; i < kept.size(); ++i) Damage(kept[i]);
  Start();
  EXPECT_EQ(Digest(), before);
}

TEST_P(HostRecoveryTest, AnOlderGenerationThatCannotBeReadDoesNotKeepTheNewestFromServing) {
  Start();
  Send("a", 1, 8);
  Settle();
  Checkpoint();
  const std::string before = Digest();
  Stop();
  // A directory of that name: there, but not readable as a file.
  const std::string oldest = storage::CheckpointsPath(kStateDir, kModel) + "/0.safetensors";
  ASSERT_TRUE(fs_.RemoveFile(oldest).ok());
  ASSERT_TRUE(fs_.CreateDirectory(oldest).ok());
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_THAT(host_->status().detail, HasSubstr("0.safetensors cannot be used"));
  EXPECT_EQ(Digest(), before);
}

TEST_P(HostRecoveryTest, AFailedModelThatServesHasItsSpec) {
  Start();
  Send("a", 1, 8);
  Settle();
  Checkpoint();
  Stop();
  const std::string newest = storage::CheckpointsPath(kStateDir, kModel) + "/8.safetensors";
  ASSERT_TRUE(fs_.RemoveFile(newest).ok());
  ASSERT_TRUE(fs_.CreateDirectory(newest).ok());
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kFailed);
  const std::shared_ptr<const Snapshot> snapshot = host_->snapshot();
  EXPECT_TRUE(snapshot == nullptr || snapshot->spec != nullptr);
}

TEST_P(HostRecoveryTest, DrainSavesWhatIsCompleteAndNeverFlushes) {
  Start();
  Send("a", 1, 10);
  ASSERT_TRUE(host_->WaitTrained(8, Soon()).ok());
  ASSERT_TRUE(host_->Drain(Soon()).ok());
  EXPECT_EQ(host_->status().state, ModelState::kDraining);
  EXPECT_EQ(host_->status().step, 2u);
  EXPECT_EQ(host_->status().durable_position, host_->status().accepted_position);
  EXPECT_EQ(host_->Append(TinyPacket("a", 11, 1)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(host_->Flush(Soon()).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_NE(host_->snapshot(), nullptr);
  CrashAndRestart(storage::CrashKind::kPowerLoss);
  EXPECT_THAT(KeptPositions(), ElementsAre(0u, 8u));
  EXPECT_EQ(host_->source("a").accepted_through, 10u);
  EXPECT_EQ(Flush().state_digest, PlainDigest(10));
}

TEST_P(HostRecoveryTest, NamesWhoHoldsTheLock) {
  Start();
  const auto second = ModelHost::Open(fs_, clock_, kStateDir, kModel, options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("process"));
}

// A millisecond passes at each look of a thread, whatever other threads do meanwhile: every step
// takes exactly one.
class OwnTimeClock final : public storage::Clock {
 public:
  int64_t MonotonicNs() override { return now_ns_ += 1'000'000; }
  void SleepMs(uint64_t ms) override { now_ns_ += static_cast<int64_t>(ms) * 1'000'000; }

 private:
  static thread_local int64_t now_ns_;
};
thread_local int64_t OwnTimeClock::now_ns_ = 0;

TEST_P(HostRecoveryTest, SavesByTheCostOfReplay) {
  OwnTimeClock clock;
  options_.checkpoint_replay_ms = 10;
  options_.checkpoint_interval_ms = 0;
  auto host = RunningHost::Open(fs_, clock, kStateDir, kModel, options_, {});
  ASSERT_TRUE(host.ok()) << host.status();
  testing::HostProbe probe(**host);
  probe.WaitIdle();
  ASSERT_TRUE((*host)->Append(TinyPacket("a", 1, 4 * 9)).ok());
  probe.WaitIdle();
  EXPECT_EQ((*host)->ListCheckpoints()->size(), 1u);
  ASSERT_TRUE((*host)->Append(TinyPacket("a", 37, 4)).ok());
  probe.WaitIdle();
  ASSERT_EQ((*host)->ListCheckpoints()->size(), 2u);
  EXPECT_EQ((*host)->ListCheckpoints()->back().step, 10u);
}

TEST_P(HostRecoveryTest, DoesNotSaveMoreOftenThanTheIntervalAllows) {
  storage::TickingClock clock;
  options_.checkpoint_replay_ms = 10;
  options_.checkpoint_interval_ms = 1'000'000'000;
  auto host = RunningHost::Open(fs_, clock, kStateDir, kModel, options_, {});
  ASSERT_TRUE(host.ok()) << host.status();
  testing::HostProbe probe(**host);
  probe.WaitIdle();
  ASSERT_TRUE((*host)->Append(TinyPacket("a", 1, 400)).ok());
  probe.WaitIdle();
  EXPECT_EQ((*host)->ListCheckpoints()->size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, HostRecoveryTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
