// Goal: the head of the audit chain stands in every generation and at the end of every closed
// segment, proves what was learnt, and costs nothing while samples come in.
// Method: an auditor that computes the chain from the journal alone looks at the disk after
// rotations, prunings, rollbacks and restarts; then files are removed, damaged, exchanged, and the
// journal itself is written again with other samples.

#include <functional>
#include <map>

#include "daemon/storage/model_directory.h"
#include "daemon/storage/record_codec.h"
#include "daemon/storage/segment_end_store.h"
#include "daemon/storage/segment_files.h"
#include "tests/daemon/hosting/host_fixture.h"
#include "tests/support/audit.h"

namespace tally::hosting {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HostAuditTest : public HostTest {
 protected:
  HostAuditTest() {
    Create(Tiny(kModel, /*batch_size=*/4));
    options_.journal.segment_bytes = 512;
    options_.retain_all = true;
  }

  testing::Audit RunAudit() { return testing::AuditModel(fs_, kStateDir, kModel); }

  // Segments that are there, by their first positions.
  std::vector<uint64_t> Segments() {
    std::vector<uint64_t> positions;
    const auto segments = storage::ListSegments(fs_, journal_).value();
    for (const storage::SegmentFile& segment : segments) {
      positions.push_back(segment.first_position);
    }
    return positions;
  }
  // Paths of the segments' ends, finished or not.
  std::vector<std::string> Ends() {
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : fs_.Files()) {
      if (path.find(".audit") != std::string::npos) paths.push_back(path);
    }
    return paths;
  }
  // Sends packets of 7 until some segments are closed, with an open mini-batch at the end.
  void SendSegments() {
    for (uint64_t i = 0; i < 12; ++i) Send("a", next_ + 7 * i, 7);
    next_ += 7 * 12;
    Settle();
  }
  // Packets of sizes that change, so that segments end behind samples and behind digest records.
  void SendWholeMiniBatches(uint32_t i) {
    const uint32_t count = 4 * (1 + i * i % 3 + i % 5);
    Send("a", next_, count);
    next_ += count;
    Settle();
  }
  // Makes the next start replay the whole journal.
  void DamageNewGenerations() {
    for (const uint64_t position : KeptPositions()) {
      if (position != 0) Damage(position);
    }
  }
  // A stopped host with closed segments, whose journal the next start replays as a whole.
  void StopWithSegments() {
    Start();
    SendSegments();
    Checkpoint();
    SendSegments();
    Checkpoint();
    digest_ = Digest();
    DamageNewGenerations();
    Stop();
    ends_ = Ends();
    ASSERT_GT(ends_.size(), 3u);
  }
  // The journal again, each record changed by `change`.
  void RewriteJournal(const std::function<void(storage::RecordBody&)>& change) {
    const std::vector<storage::Record> records = ReadJournal();
    const auto segments = storage::ListSegments(fs_, journal_).value();
    for (const storage::SegmentFile& segment : segments) {
      ASSERT_TRUE(fs_.RemoveFile(segment.path).ok());
    }
    auto journal =
        storage::Journal::Open(fs_, journal_, {}, records.front().first_position, options_.journal);
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (storage::Record record : records) {
      change(record.body);
      ASSERT_TRUE((*journal)->Append(record.body).ok());
    }
    ASSERT_TRUE((*journal)->Sync().ok());
  }

  const std::string journal_ = storage::JournalPath(kStateDir, kModel);
  uint64_t next_ = 1;
  std::string digest_;
  std::vector<std::string> ends_;
};

TEST_P(HostAuditTest, WritesNothingOnTheWayOfASample) {
  Start();
  SendSegments();
  ASSERT_GT(Segments().size(), 2u);
  host_->RequestSync(ModelHost::SyncWish::kNow);
  ASSERT_TRUE(host_->WaitDurable(host_->status().accepted_position, Soon()).ok());
  EXPECT_THAT(Ends(), IsEmpty());
  // A packet is one call, and two more where a segment begins; the trainer adds none.
  for (int i = 0; i < 12; ++i) {
    const size_t segments = Segments().size();
    const uint64_t calls = fs_.mutating_calls();
    Send("a", next_, 7);
    next_ += 7;
    Settle();
    EXPECT_EQ(fs_.mutating_calls() - calls, Segments().size() > segments ? 3u : 1u);
  }
  EXPECT_THAT(Ends(), IsEmpty());
}

TEST_P(HostAuditTest, StoresTheEndOfEverySegmentBeforeTheGenerationBehindIt) {
  Start();
  for (int i = 0; i < 3; ++i) {
    SendSegments();
    Checkpoint();
    const testing::Audit audit = RunAudit();
    EXPECT_THAT(audit.findings, IsEmpty());
    EXPECT_THAT(audit.missing, IsEmpty());
    EXPECT_GE(audit.ends + 2, Segments().size());  // the last one is open, one may be untrained
    EXPECT_EQ(audit.generations, KeptPositions().size());
  }
}

TEST_P(HostAuditTest, KeepsWhatItStoredThroughAPowerLoss) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    if (host_ == nullptr) Start();
    SendSegments();
    Checkpoint();
    const std::vector<std::string> stored = Ends();
    CrashAndRestart(storage::CrashKind::kPowerLoss, seed);
    EXPECT_EQ(Ends(), stored);
    EXPECT_THAT(RunAudit().findings, IsEmpty());
    next_ = host_->source("a").accepted_through + 1;
  }
}

TEST_P(HostAuditTest, StoresEndsThatAReplayPassed) {
  Start();
  SendSegments();
  CrashAndRestart(storage::CrashKind::kKill);
  EXPECT_THAT(Ends(), IsEmpty());
  Checkpoint();
  EXPECT_THAT(RunAudit().missing, IsEmpty());
  EXPECT_GT(RunAudit().ends, 1u);
}

TEST_P(HostAuditTest, KnowsTheSegmentOfAGenerationThatStandsExactlyAtItsEnd) {
  Start();
  uint64_t exact = 0;
  for (uint32_t i = 0; i < 60; ++i) {
    SendWholeMiniBatches(i);
    // The checkpoint's digest record may be what begins a segment.
    const uint64_t position = Checkpoint().position;
    exact += Segments().back() == position + 1 ? 1 : 0;
    Restart();
  }
  EXPECT_GT(exact, 2u);
  const testing::Audit audit = RunAudit();
  EXPECT_THAT(audit.findings, IsEmpty());
  EXPECT_THAT(audit.missing, IsEmpty());
}

// A rollback takes back what was learnt, not what happened: the chain goes on over the dropped
// samples and the rollback itself.
TEST_P(HostAuditTest, GoesOnThroughRollbacks) {
  options_.digest_interval_steps = 3;
  Start();
  uint64_t last_back = 0;
  for (int round = 0; round < 4; ++round) {
    SendSegments();
    const CheckpointInfo good = Checkpoint();
    SendSegments();
    Send("a", next_, 3);  // an open mini-batch, which the rollback drops
    next_ += 3;
    Settle();
    const CheckpointInfo back = Rollback(good.position);
    EXPECT_EQ(back.state_digest, good.state_digest);
    last_back = back.position;
    const testing::Audit audit = RunAudit();
    EXPECT_THAT(audit.findings, IsEmpty());
    EXPECT_THAT(audit.missing, IsEmpty());
    EXPECT_EQ(audit.generations, KeptPositions().size());
  }
  const std::string before = Digest();
  const std::vector<std::string> stored = Ends();
  const std::string newest = *fs_.ReadFile(GenerationPath(last_back));
  // A replay through the last rollback comes to the same heads.
  Damage(last_back);
  Restart();
  ASSERT_EQ(host_->status().state, ModelState::kReady) << host_->status().detail;
  EXPECT_EQ(Digest(), before);
  EXPECT_EQ(Ends(), stored);
  EXPECT_EQ(Checkpoint().position, last_back);
  EXPECT_EQ(*fs_.ReadFile(GenerationPath(last_back)), newest);
}

TEST_P(HostAuditTest, RemovesTheEndsOfPrunedSegments) {
  options_.retain_all = false;
  options_.keep_generations = 2;
  Start();
  for (int i = 0; i < 6; ++i) {
    SendSegments();
    Checkpoint();
    const testing::Audit audit = RunAudit();
    EXPECT_THAT(audit.findings, IsEmpty());
    EXPECT_THAT(audit.missing, IsEmpty());
    EXPECT_LT(Ends().size(), Segments().size());
  }
  EXPECT_GT(Segments().front(), 1u);
  EXPECT_THAT(Ends(), Not(IsEmpty()));
}

TEST_P(HostAuditTest, LeavesNoEndOfASegmentThatWasPrunedBefore) {
  options_.retain_all = false;
  options_.keep_generations = 1;
  Start();
  uint64_t pruned_first = 0;
  for (uint32_t i = 0; i < 60; ++i) {
    SendWholeMiniBatches(i);
    const uint64_t position = Checkpoint().position;
    Settle();
    pruned_first += Segments().front() == position + 1 ? 1 : 0;
    ASSERT_THAT(RunAudit().findings, IsEmpty());
  }
  EXPECT_GT(pruned_first, 2u);
}

TEST_P(HostAuditTest, RemovesWhatInterruptedCallsLeft) {
  Start();
  SendSegments();
  Checkpoint();
  Stop();
  const std::string old = storage::SegmentEndPath(journal_, 0);
  fs_.WriteRaw(old, "of a segment long gone");
  fs_.WriteRaw(storage::SegmentEndPath(journal_, 8) + ".new", "half");
  fs_.WriteRaw(journal_ + "/notes.audit", "not ours");
  Start();
  EXPECT_THAT(Ends(), Contains(journal_ + "/notes.audit"));
  EXPECT_THAT(Ends(), Not(Contains(old)));
  EXPECT_THAT(RunAudit().findings, IsEmpty());
}

TEST_P(HostAuditTest, ADirectoryOfAnOlderReleaseOpensAndGetsItsEnds) {
  Start();
  SendSegments();
  Checkpoint();
  const std::string before = Digest();
  Stop();
  for (const std::string& path : Ends()) ASSERT_TRUE(fs_.RemoveFile(path).ok());
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(host_->status().detail, "");
  EXPECT_EQ(Digest(), before);
  SendSegments();
  Checkpoint();
  const testing::Audit audit = RunAudit();
  EXPECT_THAT(audit.findings, IsEmpty());
  EXPECT_GT(audit.ends, 0u);
  EXPECT_GT(audit.missing.size(), 0u);  // before the generation that the start began with
  DamageNewGenerations();
  Restart();
  Send("a", next_, 4);
  Settle();
  Checkpoint();
  EXPECT_THAT(RunAudit().missing, IsEmpty());
}

TEST_P(HostAuditTest, VerifiesTheEndsThatAReplayPasses) {
  StopWithSegments();
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_THAT(host_->status().detail, Not(HasSubstr(".audit")));
  EXPECT_EQ(Digest(), digest_);
  EXPECT_EQ(Ends(), ends_);
}

TEST_P(HostAuditTest, MakesAMissingEndAgain) {
  StopWithSegments();
  const std::string bytes = *fs_.ReadFile(ends_[1]);
  ASSERT_TRUE(fs_.RemoveFile(ends_[1]).ok());
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(Digest(), digest_);
  Checkpoint();
  EXPECT_EQ(*fs_.ReadFile(ends_[1]), bytes);
}

TEST_P(HostAuditTest, SetsADamagedEndAsideAndMakesItAgain) {
  StopWithSegments();
  const std::string bytes = *fs_.ReadFile(ends_[1]);
  const std::map<std::string, std::string> files = fs_.Files();
  std::vector<std::string> damaged;
  for (size_t at = 0; at < bytes.size(); ++at) {
    damaged.push_back(bytes);
    damaged.back()[at] = static_cast<char>(damaged.back()[at] ^ (1 << (at % 8)));
    damaged.push_back(bytes.substr(0, at));
  }
  damaged.push_back(bytes + "x");
  for (size_t i = 0; i < damaged.size(); ++i) {
    SCOPED_TRACE(i);
    // The disk as it was, but for the one file.
    for (const auto& [path, content] : fs_.Files()) ASSERT_TRUE(fs_.RemoveFile(path).ok());
    for (const auto& [path, content] : files) fs_.WriteRaw(path, content);
    fs_.WriteRaw(ends_[1], damaged[i]);
    Start();
    ASSERT_EQ(host_->status().state, ModelState::kReady) << host_->status().detail;
    ASSERT_THAT(host_->status().detail, AllOf(HasSubstr("WARNING"), HasSubstr(ends_[1])));
    ASSERT_EQ(Digest(), digest_);
    ASSERT_EQ(*fs_.ReadFile(ends_[1] + ".damaged"), damaged[i]);
    Checkpoint();
    ASSERT_EQ(*fs_.ReadFile(ends_[1]), bytes);
    Stop();
  }
}

TEST_P(HostAuditTest, ReportsAnEndThatSaysSomethingElse) {
  StopWithSegments();
  const std::string bytes = *fs_.ReadFile(ends_[1]);
  storage::SegmentEnd other = *storage::DecodeSegmentEnd(bytes);
  other.chain_head[5] = other.chain_head[5] == '0' ? '1' : '0';
  storage::SegmentEnd longer = *storage::DecodeSegmentEnd(bytes);
  ++longer.last_position;
  for (const std::string& wrong : {storage::EncodeSegmentEnd(other),
                                   storage::EncodeSegmentEnd(longer), *fs_.ReadFile(ends_[2])}) {
    fs_.WriteRaw(ends_[1], wrong);
    Start();
    EXPECT_EQ(host_->status().state, ModelState::kFailed);
    EXPECT_EQ(host_->status().failure, absl::StatusCode::kDataLoss);
    EXPECT_THAT(host_->status().detail, AllOf(HasSubstr(ends_[1]), HasSubstr("audit chain"),
                                              HasSubstr("restore the journal")));
    EXPECT_EQ(host_->Append(TinyPacket("a", 1, 1)).status().code(), absl::StatusCode::kDataLoss);
    EXPECT_NE(host_->snapshot(), nullptr);
    Stop();
    EXPECT_TRUE(fatal_.empty());
    EXPECT_EQ(*fs_.ReadFile(ends_[1]), wrong) << "evidence is not touched";
  }
  // The remedy that the message names.
  ASSERT_TRUE(fs_.Rename(ends_[1], "/state/aside").ok());
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(Digest(), digest_);
}

// Names of sources are in no state digest, and whoever writes a journal can compute its checksums.
TEST_P(HostAuditTest, NoticesSamplesOfAnotherSourceThatTeachTheSame) {
  StopWithSegments();
  RewriteJournal([](storage::RecordBody& body) {
    if (auto* samples = std::get_if<storage::SamplesRecord>(&body)) samples->source = "b";
  });
  Start();
  EXPECT_EQ(host_->status().failure, absl::StatusCode::kDataLoss);
  EXPECT_THAT(host_->status().detail, AllOf(HasSubstr(ends_[0]), HasSubstr("audit chain")));
}

TEST_P(HostAuditTest, TakesTheSameJournalWrittenAgain) {
  StopWithSegments();
  RewriteJournal([](storage::RecordBody&) {});
  Start();
  EXPECT_EQ(host_->status().state, ModelState::kReady);
  EXPECT_EQ(Digest(), digest_);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, HostAuditTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
