// Goal: a full disk refuses training and nothing else; a disk that lies stops the store for good.
// Method: a disk in memory that fails chosen calls.

#include "daemon/hosting/waiting.h"
#include "tests/daemon/hosting/host_fixture.h"
#include "tests/support/ticking_clock.h"

namespace tally::hosting {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class HostDiskTest : public HostTest {
 protected:
  HostDiskTest() { Create(Tiny(kModel, /*batch_size=*/4)); }

  std::string PlainDigest(uint32_t samples) {
    PlainTrainer plain(Tiny(kModel));
    plain.Add(TinyPacket("a", 1, samples));
    plain.Flush();
    return plain.Digest();
  }
};

TEST_P(HostDiskTest, RefusesPacketsWithoutSpaceAndGoesOnWhenThereIsSome) {
  Start();
  Send("a", 1, 5);
  Settle();
  fs_.FailCall(fs_.mutating_calls() + 1, absl::ResourceExhaustedError("No space left on device"),
               /*sticky=*/true, /*partial_write=*/true);
  for (int i = 0; i < 3; ++i) {
    storage::SamplesRecord packet = TinyPacket("a", 6, 5);
    const absl::Status full = host_->Append(std::move(packet)).status();
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(full.message()), HasSubstr("No space left"));
    EXPECT_THAT(packet.labels, SizeIs(5));
  }
  EXPECT_EQ(host_->Flush(Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(host_->Rollback(0, Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(host_->Checkpoint(Soon()).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(host_->source("a").accepted_through, 5u);
  EXPECT_NE(host_->snapshot(), nullptr);
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  fs_.ClearFaults();
  Send("a", 6, 5);
  EXPECT_EQ(Flush().state_digest, PlainDigest(10));
  EXPECT_TRUE(fatal_.empty());
  Restart();
  EXPECT_EQ(Digest(), PlainDigest(10));
}

TEST_P(HostDiskTest, StopsForGoodWhenASyncFails) {
  Start();
  Send("a", 1, 4);
  Settle();
  fs_.FailCall(fs_.mutating_calls() + 1, absl::DataLossError("fdatasync: Input/output error"));
  host_->RequestSync(ModelHost::SyncWish::kNow);
  const absl::Status lost = host_->WaitDurable(4, Soon());
  EXPECT_EQ(lost.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->source("a").durable_through, 0u);
  EXPECT_EQ(host_->status().state, ModelState::kFailed);
  EXPECT_EQ(host_->Append(TinyPacket("a", 5, 1)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->Flush(Soon()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->Checkpoint(Soon()).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(host_->snapshot(), nullptr);  // until the process ends, inference goes on
  Stop();
  ASSERT_THAT(fatal_, SizeIs(1));
  EXPECT_THAT(std::string(fatal_[0].message()), HasSubstr("fdatasync"));
}

TEST_P(HostDiskTest, StopsForGoodWhenAWriteFails) {
  Start();
  Send("a", 1, 4);
  Settle();
  fs_.FailCall(fs_.mutating_calls() + 1, absl::DataLossError("write: Input/output error"));
  EXPECT_EQ(host_->Append(TinyPacket("a", 5, 1)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(host_->Append(TinyPacket("a", 5, 1)).status().code(), absl::StatusCode::kDataLoss);
  Stop();
  EXPECT_THAT(fatal_, SizeIs(1));
  fs_.ClearFaults();
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(host_->source("a").accepted_through, 4u);
}

TEST_P(HostDiskTest, StopsForGoodWhenACheckpointCannotBeSynced) {
  Start();
  Send("a", 1, 4);
  Flush();
  Settle();
  host_->RequestSync(ModelHost::SyncWish::kNow);
  ASSERT_TRUE(host_->WaitDurable(host_->status().accepted_position, Soon()).ok());
  Send("a", 5, 4);
  Settle();
  // The next sync is the journal's, then the generation's own.
  fs_.FailCall(fs_.mutating_calls() + 1, absl::DataLossError("Input/output error"),
               /*sticky=*/true);
  EXPECT_EQ(host_->Checkpoint(Soon()).status().code(), absl::StatusCode::kDataLoss);
  Stop();
  EXPECT_THAT(fatal_, SizeIs(1));
}

TEST_P(HostDiskTest, WarnsOfAnAutomaticCheckpointWithoutSpaceUntilOneSucceeds) {
  storage::TickingClock clock;
  options_.checkpoint_replay_ms = 10;
  options_.checkpoint_interval_ms = 0;
  auto host = RunningHost::Open(fs_, clock, kStateDir, kModel, options_, {});
  ASSERT_TRUE(host.ok()) << host.status();
  testing::HostProbe probe(**host);
  probe.WaitIdle();
  // Packets still fit, checkpoints do not.
  fs_.FailCall(fs_.mutating_calls() + 2, absl::ResourceExhaustedError("No space left on device"),
               /*sticky=*/true);
  ASSERT_TRUE((*host)->Append(TinyPacket("a", 1, 4 * 20)).ok());
  probe.WaitIdle();
  EXPECT_EQ((*host)->status().state, ModelState::kReady);
  EXPECT_THAT((*host)->status().detail, HasSubstr("WARNING: automatic checkpoint failed"));
  EXPECT_EQ((*host)->status().prequential.seen, 80u);
  fs_.ClearFaults();
  EXPECT_TRUE((*host)->Checkpoint(kNoDeadline).ok());
  EXPECT_EQ((*host)->status().detail, "");
}

TEST_P(HostDiskTest, MakesRoomInAJournalAtItsLimit) {
  options_.journal.journal_bytes_max = 4096;
  options_.journal.segment_bytes = 512;
  Start();
  uint64_t refused = 0;
  for (uint64_t next = 1; next <= 1500;) {
    storage::SamplesRecord packet = TinyPacket("a", next, 5);
    const auto result = host_->Append(std::move(packet));
    if (result.ok()) {
      next += 5;
      continue;
    }
    ASSERT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted) << result.status();
    ASSERT_LT(++refused, 1000u) << host_->status().detail;
    Settle();
  }
  Settle();
  EXPECT_LE(host_->status().journal_bytes, 4096u);
  EXPECT_EQ(Flush().state_digest, PlainDigest(1500));
  Restart();
  EXPECT_EQ(Digest(), PlainDigest(1500));
}

TEST_P(HostDiskTest, RefusesAtTheLimitOfAJournalThatIsKeptWhole) {
  options_.journal.journal_bytes_max = 4096;
  options_.retain_all = true;
  Start();
  absl::Status status;
  uint64_t next = 1;
  for (; status.ok() && next < 5000; next += 5) {
    status = host_->Append(TinyPacket("a", next, 5)).status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("limit is 4096"));
  Settle();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  Restart();
  EXPECT_EQ(host_->source("a").accepted_through, next - 6);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, HostDiskTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
