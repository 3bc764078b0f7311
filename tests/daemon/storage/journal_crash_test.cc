// Goal: nothing acknowledged is lost and nothing else appears, whatever happens to the journal's
// disk. Method: a scripted session (appends, syncs, rotation, pruning, a restart) crashes or fails
// at each of its file-system calls in turn; what the next start finds is compared with what the
// session was told.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "daemon/storage/journal.h"
#include "tests/daemon/storage/journal_fixture.h"
#include "tests/support/fault_file_system.h"

namespace tally::storage {
namespace {

constexpr uint64_t kSeeds = 12 / kCasesDivisor;
constexpr uint64_t kRecords = 48;
constexpr JournalOptions kOptions = {.segment_bytes = 350, .journal_bytes_max = 1 << 20};

// What a session was told.
struct Told {
  std::vector<std::string> records;  // every Append that returned OK, described
  std::vector<uint64_t> positions;   // their first ones
  size_t durable = 0;                // of `records`, covered by a Sync that returned OK
  std::string attempted;             // the Append that did not return OK
  uint64_t pruned_through = 0;       // the highest Prune that was called
};

absl::Status AppendNext(Journal& journal, Told& told) {
  const RecordBody body = BodyNumber(told.records.size());
  const Record record{journal.next_position(), body};
  told.attempted = Describe(record);
  const absl::Status status = journal.Append(body);
  if (!status.ok()) return status;
  told.attempted.clear();
  told.records.push_back(Describe(record));
  told.positions.push_back(record.first_position);
  return status;
}

absl::Status SyncAll(Journal& journal, Told& told) {
  const size_t covered = told.records.size();
  const absl::Status status = journal.Sync();
  if (status.ok()) told.durable = covered;
  return status;
}

absl::Status PruneHalf(Journal& journal, Told& told) {
  if (told.durable < 4) return absl::OkStatus();
  told.pruned_through = told.positions[told.durable / 2] - 1;
  return journal.Prune(told.pruned_through);
}

// Every few appends a sync, so that between two syncs there are none, one or several new segments.
absl::Status Step(Journal& journal, uint64_t i, Told& told) {
  absl::Status status = AppendNext(journal, told);
  if (status.ok() && (i % 5 == 4 || i % 13 == 0)) status = SyncAll(journal, told);
  if (status.ok() && i % 16 == 15) status = PruneHalf(journal, told);
  return status;
}

absl::Status Session(FileSystem& fs, Told& told) {
  for (uint64_t begin = 0; begin < kRecords; begin += kRecords / 2) {
    auto journal = OpenJournal(fs, kOptions);
    if (!journal.ok()) return journal.status();
    for (uint64_t i = begin; i < begin + kRecords / 2; ++i) {
      const absl::Status status = Step(**journal, i, told);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

void Prepare(FaultFileSystem& fs) {
  ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
  ASSERT_TRUE(fs.SyncDirectory("/").ok());
}

// `at_least` records must be there, the attempted one and unsynced ones may be.
void CheckFound(const Journaled& found, const Told& told, size_t at_least) {
  std::vector<std::string> expected = told.records;
  if (!told.attempted.empty()) expected.push_back(told.attempted);
  size_t begin = 0;
  if (found.records.empty()) {
    while (begin < told.positions.size() && told.positions[begin] < found.tail.next_position) {
      ++begin;
    }
  } else {
    const auto first = std::find(expected.begin(), expected.end(), found.records.front());
    ASSERT_NE(first, expected.end()) << "invented: " << found.records.front();
    begin = static_cast<size_t>(first - expected.begin());
  }
  ASSERT_LE(begin + found.records.size(), expected.size());
  for (size_t i = 0; i < found.records.size(); ++i) {
    ASSERT_EQ(found.records[i], expected[begin + i]);
  }
  ASSERT_GE(begin + found.records.size(), at_least) << "lost";
  if (begin > 0) {
    ASSERT_LE(found.first_positions.empty() ? found.tail.next_position : found.first_positions[0],
              told.pruned_through + 1)
        << "pruned too much";
  }
}

// The next start also crashes, at each of its own calls; then one succeeds, and what it found is
// durable.
void CheckRecovery(FaultFileSystem& fs, const Told& told, size_t at_least, uint64_t seed) {
  const auto found = ScanAll(fs);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_NO_FATAL_FAILURE(CheckFound(*found, told, at_least));
  if (seed % 4 == 0) {
    fs.CrashAtCall(1 + (seed / 4 + seed / 1000) % 8,
                   seed % 8 == 0 ? CrashKind::kPowerLoss : CrashKind::kKill);
    if (!OpenJournal(fs, kOptions).ok()) {
      fs.Reboot(seed + 1);
      const auto again = ScanAll(fs);
      ASSERT_TRUE(again.ok()) << again.status();
      ASSERT_NO_FATAL_FAILURE(CheckFound(*again, told, std::min(at_least, told.durable)));
    }
    fs.ClearFaults();
  }
  auto journal = OpenJournal(fs, kOptions);
  ASSERT_TRUE(journal.ok()) << journal.status();
  std::vector<std::string> durable = ScanAll(fs)->records;
  fs.Reboot(seed + 2);
  const auto after_power_loss = ScanAll(fs);
  ASSERT_TRUE(after_power_loss.ok()) << after_power_loss.status();
  ASSERT_EQ(after_power_loss->records, durable) << "what a start has found must stay";
  journal = OpenJournal(fs, kOptions);
  ASSERT_TRUE(journal.ok()) << journal.status();
  durable.push_back(Describe({(*journal)->next_position(), FlushRecord()}));
  ASSERT_TRUE((*journal)->Append(FlushRecord()).ok());
  ASSERT_TRUE((*journal)->Sync().ok());
  fs.Reboot(seed + 3);
  ASSERT_EQ(ScanAll(fs)->records, durable);
}

uint64_t CallsOfSession() {
  FaultFileSystem fs;
  Prepare(fs);
  const uint64_t before = fs.mutating_calls();
  Told told;
  EXPECT_TRUE(Session(fs, told).ok());
  EXPECT_EQ(told.records.size(), kRecords);
  EXPECT_GT(fs.Files().size(), 4u);
  EXPECT_GT(told.pruned_through, 0u);
  return fs.mutating_calls() - before;
}

TEST(JournalCrashTest, APowerLossAtAnyCallKeepsEverythingSynced) {
  const uint64_t calls = CallsOfSession();
  ASSERT_GT(calls, 100u);
  for (uint64_t k = 1; k <= calls; ++k) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      SCOPED_TRACE(testing::Message() << "k " << k << " seed " << seed);
      FaultFileSystem fs;
      Prepare(fs);
      fs.CrashAtCall(fs.mutating_calls() + k);
      Told told;
      Session(fs, told).IgnoreError();
      fs.Reboot(1000 * k + seed);
      ASSERT_NO_FATAL_FAILURE(CheckRecovery(fs, told, told.durable, 1000 * k + seed));
    }
  }
}

TEST(JournalCrashTest, AKillAtAnyCallKeepsEverythingAppended) {
  const uint64_t calls = CallsOfSession();
  for (uint64_t k = 1; k <= calls; ++k) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      SCOPED_TRACE(testing::Message() << "k " << k << " seed " << seed);
      FaultFileSystem fs;
      Prepare(fs);
      fs.CrashAtCall(fs.mutating_calls() + k, CrashKind::kKill);
      Told told;
      Session(fs, told).IgnoreError();
      fs.Reboot(1000 * k + seed);
      ASSERT_NO_FATAL_FAILURE(CheckRecovery(fs, told, told.records.size(), 1000 * k + seed));
    }
  }
}

// Like Session, but a refused record is tried again once there is room.
absl::Status PatientSession(FaultFileSystem& fs, Told& told) {
  auto journal = OpenJournal(fs, kOptions);
  if (absl::IsResourceExhausted(journal.status())) {
    fs.ClearFaults();
    journal = OpenJournal(fs, kOptions);
  }
  if (!journal.ok()) return journal.status();
  for (uint64_t i = 0; i < kRecords; ++i) {
    absl::Status status = Step(**journal, i, told);
    for (int attempt = 0; absl::IsResourceExhausted(status); ++attempt) {
      if (attempt == 2) fs.ClearFaults();
      const absl::Status synced = SyncAll(**journal, told);
      if (!synced.ok()) return synced;
      status = AppendNext(**journal, told);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

TEST(JournalCrashTest, AFullDiskAtAnyCallLosesNothingAndTheJournalGoesOn) {
  const uint64_t calls = CallsOfSession();
  for (uint64_t k = 1; k <= calls; ++k) {
    for (const bool sticky : {false, true}) {
      for (const bool partial_write : {false, true}) {
        SCOPED_TRACE(testing::Message() << "k " << k << (sticky ? " sticky" : ""));
        FaultFileSystem fs;
        Prepare(fs);
        fs.FailCall(fs.mutating_calls() + k, absl::ResourceExhaustedError("ENOSPC"), sticky,
                    partial_write);
        Told told;
        const absl::Status status = PatientSession(fs, told);
        ASSERT_TRUE(status.ok()) << status;
        ASSERT_EQ(told.records.size(), kRecords);
        const auto found = ScanAll(fs);
        ASSERT_TRUE(found.ok()) << found.status();
        ASSERT_EQ(found->tail.torn_bytes, 0u);
        ASSERT_NO_FATAL_FAILURE(CheckFound(*found, told, kRecords));
        fs.Reboot(k);
        ASSERT_NO_FATAL_FAILURE(CheckRecovery(fs, told, told.durable, k));
      }
    }
  }
}

TEST(JournalCrashTest, AnInputOutputErrorAtAnyCallIsFinal) {
  const uint64_t calls = CallsOfSession();
  for (uint64_t k = 1; k <= calls; ++k) {
    SCOPED_TRACE(testing::Message() << "k " << k);
    FaultFileSystem fs;
    Prepare(fs);
    auto journal = OpenJournal(fs, kOptions);
    ASSERT_TRUE(journal.ok());
    fs.FailCall(fs.mutating_calls() + k, absl::DataLossError("EIO"), false, k % 2 == 0);
    Told told;
    absl::Status status;
    for (uint64_t i = 0; i < kRecords && status.ok(); ++i) status = Step(**journal, i, told);
    if (status.ok()) continue;  // the k-th call lies behind this session
    ASSERT_TRUE(absl::IsDataLoss(status)) << status;
    ASSERT_THAT(std::string(status.message()), testing::HasSubstr("EIO"));
    ASSERT_TRUE(absl::IsDataLoss((*journal)->Append(FlushRecord())));
    ASSERT_TRUE(absl::IsDataLoss((*journal)->Sync()));
    ASSERT_TRUE(absl::IsDataLoss((*journal)->Prune(1)));
    fs.Reboot(k);
    ASSERT_NO_FATAL_FAILURE(CheckRecovery(fs, told, told.durable, k));
  }
}

TEST(JournalCrashTest, APowerLossWhileSyncRunsBesideAppendKeepsEverythingSynced) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FaultFileSystem fs;
    Prepare(fs);
    auto journal = OpenJournal(fs, kOptions);
    ASSERT_TRUE(journal.ok());
    fs.CrashAtCall(20 + 3 * seed);
    Told told;
    std::atomic<size_t> appended = 0;
    std::atomic<size_t> durable = 0;
    std::thread syncer([&] {
      while (true) {
        const size_t covered = appended;
        if (!(*journal)->Sync().ok()) return;
        durable = covered;
        std::this_thread::yield();
      }
    });
    while (AppendNext(**journal, told).ok()) appended = told.records.size();
    syncer.join();
    told.durable = durable;
    fs.Reboot(seed);
    ASSERT_NO_FATAL_FAILURE(CheckRecovery(fs, told, told.durable, seed));
  }
}

}  // namespace
}  // namespace tally::storage
