// Goal: what is accepted is learnt once, in journal order, and every number that callers see is
// true. Method: a host on a disk in memory, compared with a plain trainer; threads are awaited
// through listeners.

#include <atomic>
#include <thread>

#include "core/parallel/worker_pool.h"
#include "daemon/hosting/admission.h"
#include "daemon/storage/clock.h"
#include "tests/daemon/hosting/host_fixture.h"

namespace tally::hosting {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class HostTrainingTest : public HostTest {
 protected:
  HostTrainingTest() { Create(Tiny(kModel, /*batch_size=*/4)); }
};

TEST_P(HostTrainingTest, LearnsTheSameAsAPlainTrainer) {
  Start();
  PlainTrainer plain(Tiny(kModel));
  for (uint64_t i = 0; i < 20; ++i) {
    Send("a", 1 + 3 * i, 3);
    Send("b", 1 + 5 * i, 5);
    plain.Add(TinyPacket("a", 1 + 3 * i, 3));
    plain.Add(TinyPacket("b", 1 + 5 * i, 5));
  }
  const ModelHost::FlushResult flushed = Flush();
  plain.Flush();
  EXPECT_EQ(flushed.state_digest, plain.Digest());
  EXPECT_EQ(flushed.step, plain.step());
  EXPECT_EQ(flushed.prequential.seen, 160u);
  EXPECT_EQ(flushed.prequential.correct, plain.correct());
}

TEST_P(HostTrainingTest, SkipsWhatWasKeptBefore) {
  Start();
  Send("a", 1, 6);
  const AppendResult again = Send("a", 1, 6);
  EXPECT_EQ(again.accepted, 0u);
  EXPECT_EQ(again.skipped, 6u);
  const AppendResult overlap = Send("a", 4, 6);  // 4-6 are known, 7-9 are new
  EXPECT_EQ(overlap.accepted, 3u);
  EXPECT_EQ(overlap.skipped, 3u);
  PlainTrainer plain(Tiny(kModel));
  plain.Add(TinyPacket("a", 1, 9));
  plain.Flush();
  const ModelHost::FlushResult flushed = Flush();
  EXPECT_EQ(flushed.state_digest, plain.Digest());
  EXPECT_EQ(flushed.prequential.seen, 9u);
}

TEST_P(HostTrainingTest, RefusesAGapAndLeavesThePacketAlone) {
  Start();
  Send("a", 1, 2);
  storage::SamplesRecord packet = TinyPacket("a", 4, 2);
  const absl::Status status = host_->Append(std::move(packet)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected sequence 3"));
  EXPECT_EQ(packet.labels.size(), 2u);
  EXPECT_EQ(packet.rows, TinyPacket("a", 4, 2).rows);
  EXPECT_EQ(host_->status().accepted_position, 2u);
}

TEST_P(HostTrainingTest, RefusesPacketsThatDoNotFitTheModel) {
  Start();
  storage::SamplesRecord label = TinyPacket("a", 1, 2);
  label.labels[1] = 3;
  storage::SamplesRecord rows = TinyPacket("a", 1, 2);
  rows.rows.pop_back();
  storage::SamplesRecord empty;
  empty.source = "a";
  storage::SamplesRecord zero = TinyPacket("a", 1, 1);
  zero.first_sequence = 0;
  for (storage::SamplesRecord* packet : {&label, &rows, &empty, &zero}) {
    EXPECT_EQ(host_->Append(std::move(*packet)).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(host_->status().accepted_position, 0u);
}

TEST_P(HostTrainingTest, RefusesOneSourceTooMany) {
  options_.sources_max = 2;
  Start();
  Send("a", 1, 1);
  Send("b", 1, 1);
  EXPECT_EQ(host_->Append(TinyPacket("c", 1, 1)).status().code(),
            absl::StatusCode::kResourceExhausted);
  Send("a", 2, 1);
  host_->SetSourcesMax(3);
  Send("c", 1, 1);
  EXPECT_EQ(host_->status().sources, 3u);
}

TEST_P(HostTrainingTest, TellsPositionsAndSequencesTruthfully) {
  Start();
  Send("a", 1, 6);
  Settle();
  HostStatus status = host_->status();
  EXPECT_EQ(status.accepted_position, 6u);
  EXPECT_EQ(status.trained_position, 4u);
  EXPECT_EQ(status.durable_position, 0u);  // nobody asked, and the clock stands still
  SourceProgress progress = host_->source("a");
  EXPECT_EQ(progress.accepted_through, 6u);
  EXPECT_EQ(progress.trained_through, 4u);
  EXPECT_EQ(progress.durable_through, 0u);
  host_->RequestSync(ModelHost::SyncWish::kNow);
  EXPECT_TRUE(host_->WaitDurable(6, Soon()).ok());
  EXPECT_EQ(host_->source("a").durable_through, 6u);
  Flush();
  EXPECT_EQ(host_->source("a").trained_through, 6u);
  EXPECT_TRUE(host_->WaitTrained(7, Soon()).ok());  // the flush record has a position too
}

TEST_P(HostTrainingTest, TellsTheMemoryThatAllItsThreadsAreAdmittedFor) {
  WorkerPool workers(3);
  options_.workers = &workers;
  Start();
  EXPECT_EQ(host_->status().memory_bytes, ModelBytes(Tiny(kModel, /*batch_size=*/4), 3));
  Stop();  // before the pool
}

TEST_P(HostTrainingTest, SyncsUnaskedAfterASecond) {
  Start();
  Send("a", 1, 1);
  clock_.SleepMs(1000);
  EXPECT_TRUE(host_->WaitDurable(1, Soon()).ok());
}

TEST_P(HostTrainingTest, ClosesThePartialMiniBatchOnlyByAFlush) {
  Start();
  Send("a", 1, 3);
  Settle();
  EXPECT_EQ(host_->status().step, 0u);
  EXPECT_EQ(Flush().step, 1u);
  EXPECT_EQ(Flush().step, 1u);  // nothing open: no step
  Send("a", 4, 4);
  EXPECT_EQ(Flush().step, 2u);
}

TEST_P(HostTrainingTest, DoesNothingPastADeadline) {
  Start();
  Send("a", 1, 3);
  Settle();
  const int64_t past = clock_.MonotonicNs();
  EXPECT_EQ(host_->Flush(past).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(host_->Rollback(0, past).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(host_->WaitTrained(3, past).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(host_->WaitDurable(3, past).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(host_->status().accepted_position, 3u);
  EXPECT_EQ(host_->status().state, ModelState::kReady);
}

TEST_P(HostTrainingTest, RefusesPacketsWhileTheQueueIsFullAndTakesThemAfterwards) {
  const uint64_t packet_bytes = 4 * (6 + sizeof(uint32_t));
  options_.queue_bytes_max = 3 * packet_bytes;
  Start();
  testing::HostGate gate(*host_);
  gate.Close([this] { return host_->status().trained_position == 4; });
  Send("a", 1, 4);
  gate.WaitHeld();  // the trainer is done with the first packet and held
  for (uint64_t i = 1; i <= 3; ++i) Send("a", 1 + 4 * i, 4);
  EXPECT_FALSE(host_->HasRoom(packet_bytes));
  storage::SamplesRecord packet = TinyPacket("a", 17, 4);
  const absl::Status full = host_->Append(std::move(packet)).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("queue"));
  EXPECT_EQ(host_->source("a").accepted_through, 16u);
  gate.Open();
  Settle();
  EXPECT_TRUE(host_->HasRoom(packet_bytes));
  EXPECT_TRUE(host_->Append(std::move(packet)).ok());
  EXPECT_EQ(Flush().prequential.seen, 20u);
}

TEST_P(HostTrainingTest, TakesAPacketLargerThanTheQueueWhenItIsEmpty) {
  options_.queue_bytes_max = 16;
  Start();
  Send("a", 1, 40);
  EXPECT_EQ(Flush().prequential.seen, 40u);
}

TEST_P(HostTrainingTest, WakesListenersUntilTheyAreRemoved) {
  Start();
  Send("a", 1, 4);
  Settle();
  const uint64_t before = probe_->calls();
  Send("a", 5, 4);
  probe_->WaitUntil([&] { return host_->status().trained_position == 8; });
  EXPECT_GT(probe_->calls(), 0u);
  Settle();
  EXPECT_GT(probe_->calls(), before);
  auto second = std::make_unique<testing::HostProbe>(*host_);
  second = nullptr;  // would crash if it were called again
  Send("a", 9, 4);
  Settle();
}

TEST_P(HostTrainingTest, PublishesSnapshotsThatDoNotChange) {
  options_.publish_interval_steps = 1;
  Start();
  ASSERT_NE(host_->snapshot(), nullptr);
  const std::shared_ptr<const Snapshot> fresh = host_->snapshot();
  EXPECT_EQ(fresh->position, 0u);
  const std::string rows = TinyPacket("x", 1, 5).rows;
  const RowBatch batch = {std::as_bytes(std::span<const char>(rows)), 5};
  std::vector<int32_t> before(15);
  fresh->predictor->Predict(batch, before);
  Send("a", 1, 400);
  const ModelHost::FlushResult flushed = Flush();
  const std::shared_ptr<const Snapshot> trained = host_->snapshot();
  EXPECT_GE(trained->position, flushed.position);  // its digest record may be in it already
  EXPECT_EQ(trained->step, flushed.step);
  EXPECT_EQ(trained->state_digest, flushed.state_digest);
  std::vector<int32_t> after(15);
  fresh->predictor->Predict(batch, after);
  EXPECT_EQ(before, after);
  trained->predictor->Predict(batch, after);
  EXPECT_NE(before, after);
}

TEST_P(HostTrainingTest, JournalsADigestEveryFewStepsAndAtFlushes) {
  options_.digest_interval_steps = 5;
  Start();
  Send("a", 1, 4 * 12 + 1);
  Settle();
  EXPECT_EQ(host_->status().digest_point.step, 10u);
  Flush();
  std::vector<uint64_t> steps;
  for (const storage::Record& record : ReadJournal()) {
    if (const auto* digest = std::get_if<storage::DigestRecord>(&record.body)) {
      steps.push_back(digest->step);
    }
  }
  EXPECT_THAT(steps, ::testing::ElementsAre(5u, 10u, 13u));
  EXPECT_EQ(host_->status().digest_point.state_digest, Digest());
}

// Waits for room as a client does.
void SendAll(ModelHost& host, const std::string& source, uint32_t seed) {
  uint32_t random = seed;
  for (uint64_t next = 1; next <= 600;) {
    random = random * 1664525u + 1013904223u;
    const auto count =
        static_cast<uint32_t>(std::min<uint64_t>(1 + (random >> 16) % 9, 601 - next));
    const auto result = host.Append(TinyPacket(source, next, count));
    if (absl::IsResourceExhausted(result.status())) {
      // Everything in the queue is trained at some time; then there is room.
      std::this_thread::yield();
      continue;
    }
    ASSERT_TRUE(result.ok()) << result.status();
    if (random % 5 == 0) host.RequestSync(ModelHost::SyncWish::kNow);
    next += count;
  }
}

TEST_P(HostTrainingTest, LetsTheJournalDecideTheOrderOfConcurrentSources) {
  options_.queue_bytes_max = 4096;
  options_.digest_interval_steps = 7;
  options_.journal.segment_bytes = 4096;
  options_.retain_all = true;
  Start();
  std::vector<std::thread> clients;
  for (uint32_t i = 0; i < 4; ++i) {
    clients.emplace_back([this, i] { SendAll(*host_, "client-" + std::to_string(i), i + 1); });
  }
  for (std::thread& client : clients) client.join();
  const ModelHost::FlushResult flushed = Flush();
  EXPECT_EQ(flushed.prequential.seen, 2400u);
  PlainTrainer plain(Tiny(kModel));
  for (const storage::Record& record : ReadJournal()) {
    if (const auto* packet = std::get_if<storage::SamplesRecord>(&record.body)) {
      plain.Add(*packet);
    } else if (std::holds_alternative<storage::FlushRecord>(record.body)) {
      plain.Flush();
    }
  }
  EXPECT_EQ(flushed.state_digest, plain.Digest());
  EXPECT_EQ(flushed.prequential.correct, plain.correct());
}

TEST_P(HostTrainingTest, AnswersCommandsWhileSamplesAreComing) {
  Start();
  std::thread sender([this] { SendAll(*host_, "a", 9); });
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(host_->Digest(Soon())->state_digest, SizeIs(64));
    if (i % 5 == 0) Checkpoint();
    (void)host_->status();
    (void)host_->source("a");
    (void)host_->ListCheckpoints();
  }
  sender.join();
  PlainTrainer plain(Tiny(kModel));
  plain.Add(TinyPacket("a", 1, 600));
  plain.Flush();
  EXPECT_EQ(Flush().state_digest, plain.Digest());
}

TEST_P(HostTrainingTest, PublishesEveryPacketInTheEndByTheRealClock) {
  storage::Clock& clock = storage::SystemClock();
  auto host = RunningHost::Open(fs_, clock, kStateDir, kModel, options_, {});
  ASSERT_TRUE(host.ok()) << host.status();
  testing::HostProbe probe(**host);
  probe.WaitUntil([&] { return (*host)->snapshot() != nullptr; });
  for (uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE((*host)->Append(TinyPacket("a", 1 + 4 * i, 4)).ok());
  }
  probe.WaitUntil([&] { return (*host)->snapshot()->position >= 200; });
  EXPECT_EQ((*host)->snapshot()->step, 50u);
}

TEST_P(HostTrainingTest, HonoursDeadlinesOfTheRealClock) {
  storage::Clock& clock = storage::SystemClock();
  auto host = RunningHost::Open(fs_, clock, kStateDir, kModel, options_, {});
  ASSERT_TRUE(host.ok()) << host.status();
  ASSERT_TRUE((*host)->WaitRecovered(clock.MonotonicNs() + 60'000'000'000));
  ASSERT_TRUE((*host)->Append(TinyPacket("a", 1, 3)).ok());
  const int64_t begin = clock.MonotonicNs();
  EXPECT_EQ((*host)->WaitTrained(3, begin + 20'000'000).code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_GE(clock.MonotonicNs() - begin, 20'000'000);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, HostTrainingTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
