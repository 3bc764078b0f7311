// Goal: a journal gives back what was put in and keeps its limits.
// Method: small journals on a disk in memory; limits and rotation by hand-computed sizes.

#include "daemon/storage/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/daemon/storage/journal_fixture.h"
#include "tests/support/fault_file_system.h"

namespace tally::storage {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kFirstSegment[] = "/journal/00000000000000000001.journal";

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

class JournalTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(fs_.CreateDirectory(kJournalDirectory).ok()); }

  // Writes records BodyNumber(0) ... and returns their descriptions.
  std::vector<std::string> Write(uint64_t count, const JournalOptions& options) {
    auto journal = OpenJournal(fs_, options);
    EXPECT_TRUE(journal.ok()) << journal.status();
    std::vector<std::string> expected;
    for (uint64_t i = 0; i < count; ++i) {
      expected.push_back(Describe({(*journal)->next_position(), BodyNumber(i)}));
      EXPECT_TRUE((*journal)->Append(BodyNumber(i)).ok());
    }
    EXPECT_TRUE((*journal)->Sync().ok());
    return expected;
  }

  // Names of the segment files, in order.
  std::vector<std::string> Segments() {
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : fs_.Files()) paths.push_back(path);
    return paths;
  }

  FaultFileSystem fs_;
};

TEST_F(JournalTest, AnEmptyDirectoryHasNoRecordsAndNoTail) {
  const auto found = ScanAll(fs_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->records, IsEmpty());
  EXPECT_EQ(found->tail.segment, "");
  EXPECT_EQ(found->tail.next_position, 1u);
}

TEST_F(JournalTest, EveryRecordTypeComesBackAsItWasWritten) {
  auto journal = OpenJournal(fs_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  SamplesRecord wide_labels = Samples("s", 7, 3, 2);
  wide_labels.labels = {0, 65536, 4294967295u};
  SamplesRecord middle_labels = Samples("m", 1, 2, 1);
  middle_labels.labels = {256, 65535};
  const std::vector<RecordBody> bodies = {Samples("camera-1", 1, 5, 784),
                                          FlushRecord(),
                                          DigestRecord{123456789012345, DigestOf('a')},
                                          RollbackRecord{3, DigestOf('0')},
                                          wide_labels,
                                          middle_labels,
                                          Samples(std::string(63, 'z'), 1ull << 60, 4096, 1)};
  std::vector<std::string> expected;
  uint64_t position = 1;
  for (const RecordBody& body : bodies) {
    EXPECT_EQ((*journal)->next_position(), position);
    ASSERT_TRUE((*journal)->Append(body).ok());
    expected.push_back(Describe({position, body}));
    position += PositionCount(body);
  }
  const auto found = ScanAll(fs_);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->records, ElementsAreArray(expected));
  EXPECT_EQ(found->tail.next_position, position);
  EXPECT_EQ(found->tail.torn_bytes, 0u);
}

TEST_F(JournalTest, AReopenedJournalContinuesWhereItEnded) {
  std::vector<std::string> expected = Write(5, {});
  auto journal = OpenJournal(fs_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  expected.push_back(Describe({(*journal)->next_position(), FlushRecord()}));
  ASSERT_TRUE((*journal)->Append(FlushRecord()).ok());
  EXPECT_THAT(ScanAll(fs_)->records, ElementsAreArray(expected));
}

TEST_F(JournalTest, AFreshJournalBeginsAtTheGivenPosition) {
  auto journal = OpenJournal(fs_, {}, 501);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->next_position(), 501u);
  EXPECT_EQ((*journal)->oldest_position(), 501u);
  ASSERT_TRUE((*journal)->Append(FlushRecord()).ok());
  EXPECT_THAT(ScanAll(fs_)->records, ElementsAre("501: FLUSH"));
}

TEST_F(JournalTest, AScanFromAPositionBeginsWithTheRecordThatHoldsIt) {
  Write(40, {.segment_bytes = 400});
  ASSERT_GT(Segments().size(), 5u);
  const auto all = ScanAll(fs_);
  ASSERT_TRUE(all.ok());
  for (uint64_t from = 1; from < all->tail.next_position; ++from) {
    const auto found = ScanAll(fs_, from);
    ASSERT_TRUE(found.ok()) << found.status();
    size_t begin = 0;
    while (begin + 1 < all->records.size() && all->first_positions[begin + 1] <= from) ++begin;
    ASSERT_EQ(found->records.front(), all->records[begin]) << from;
    ASSERT_EQ(found->records.size(), all->records.size() - begin) << from;
    ASSERT_EQ(found->tail.chain, all->tail.chain);
  }
  EXPECT_THAT(ScanAll(fs_, all->tail.next_position)->records, IsEmpty());
}

TEST_F(JournalTest, AScanStopsAtTheFirstErrorOfItsVisitor) {
  Write(5, {});
  int visited = 0;
  const auto tail = ScanJournal(fs_, kJournalDirectory, 0, [&visited](Record) {
    return ++visited == 2 ? absl::AbortedError("enough") : absl::OkStatus();
  });
  EXPECT_EQ(tail.status(), absl::AbortedError("enough"));
  EXPECT_EQ(visited, 2);
}

TEST_F(JournalTest, SegmentsAreClosedAtTheirSizeAndChained) {
  const std::vector<std::string> expected = Write(20, {.segment_bytes = 300});
  const std::map<std::string, std::string> files = fs_.Files();
  ASSERT_GT(files.size(), 3u);
  for (auto file = files.begin(); std::next(file) != files.end(); ++file) {
    EXPECT_GE(file->second.size(), 300u) << file->first;
    EXPECT_LT(file->second.size(), 600u) << file->first;
  }
  EXPECT_THAT(ScanAll(fs_)->records, ElementsAreArray(expected));
}

TEST_F(JournalTest, ANewSegmentIsCalledUnsyncedUntilASyncHasCoveredTheOneBefore) {
  auto journal = OpenJournal(fs_, {.segment_bytes = 100});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE((*journal)->Append(DigestRecord{1, DigestOf('1')}).ok());
  EXPECT_THAT(Segments(),
              ElementsAre(kFirstSegment, "/journal/00000000000000000002.journal.unsynced",
                          "/journal/00000000000000000003.journal.unsynced"));
  ASSERT_TRUE((*journal)->Sync().ok());
  EXPECT_THAT(Segments(), ElementsAre(kFirstSegment, "/journal/00000000000000000002.journal",
                                      "/journal/00000000000000000003.journal"));
}

TEST_F(JournalTest, AJournalAtItsLimitRefusesAndPruningMakesRoom) {
  const JournalOptions options = {.segment_bytes = 400, .journal_bytes_max = 2000};
  auto journal = OpenJournal(fs_, options);
  ASSERT_TRUE(journal.ok());
  absl::Status status;
  while ((status = (*journal)->Append(DigestRecord{1, DigestOf('1')})).ok()) {
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("its limit is 2000"));
  EXPECT_LE((*journal)->size_bytes(), 2000u);
  EXPECT_GT((*journal)->size_bytes(), 1800u);
  EXPECT_TRUE(absl::IsResourceExhausted((*journal)->Append(DigestRecord{1, DigestOf('1')})));
  ASSERT_TRUE((*journal)->Sync().ok());
  const uint64_t next = (*journal)->next_position();
  ASSERT_TRUE((*journal)->Prune(next - 1).ok());
  EXPECT_TRUE((*journal)->Append(DigestRecord{1, DigestOf('1')}).ok());
  EXPECT_EQ((*journal)->next_position(), next + 1);
  EXPECT_TRUE(ScanAll(fs_).ok());
}

TEST_F(JournalTest, AJournalSmallerThanASegmentStillRotates) {
  auto journal = OpenJournal(fs_, {.segment_bytes = 1 << 20, .journal_bytes_max = 2000});
  while ((*journal)->Append(FlushRecord()).ok()) {
  }
  ASSERT_TRUE((*journal)->Sync().ok());
  ASSERT_TRUE((*journal)->Prune((*journal)->next_position()).ok());
  EXPECT_TRUE((*journal)->Append(FlushRecord()).ok());
}

TEST_F(JournalTest, PruningDeletesOnlyWholeSegmentsThatAreNotNeeded) {
  auto journal = OpenJournal(fs_, {.segment_bytes = 100});
  for (int i = 0; i < 6; ++i) ASSERT_TRUE((*journal)->Append(Samples("s", 1, 4, 20)).ok());
  EXPECT_EQ((*journal)->oldest_position(), 1u);
  ASSERT_TRUE((*journal)->Prune(24).ok());
  EXPECT_EQ((*journal)->oldest_position(), 1u) << "nothing is synced yet";
  ASSERT_TRUE((*journal)->Sync().ok());
  ASSERT_TRUE((*journal)->Prune(3).ok());
  EXPECT_EQ((*journal)->oldest_position(), 1u) << "position 4 is still needed";
  ASSERT_TRUE((*journal)->Prune(4).ok());
  EXPECT_EQ((*journal)->oldest_position(), 5u);
  ASSERT_TRUE((*journal)->Prune(15).ok());
  EXPECT_EQ((*journal)->oldest_position(), 13u);
  ASSERT_TRUE((*journal)->Prune(1000).ok());
  EXPECT_EQ((*journal)->oldest_position(), 21u) << "the segment that is written to stays";
  EXPECT_THAT(Segments(), ElementsAre("/journal/00000000000000000021.journal"));
  EXPECT_EQ((*journal)->size_bytes(), fs_.Files().begin()->second.size());
  ASSERT_TRUE((*journal)->Append(FlushRecord()).ok());
  EXPECT_THAT(ScanAll(fs_)->records, SizeIs(2));
}

TEST_F(JournalTest, SizesAndOldestPositionAreTheSameAfterReopening) {
  auto journal = OpenJournal(fs_, {.segment_bytes = 200});
  for (uint64_t i = 0; i < 20; ++i) ASSERT_TRUE((*journal)->Append(BodyNumber(i)).ok());
  ASSERT_TRUE((*journal)->Sync().ok());
  ASSERT_TRUE((*journal)->Prune(10).ok());
  const uint64_t size_bytes = (*journal)->size_bytes();
  const uint64_t oldest = (*journal)->oldest_position();
  auto again = OpenJournal(fs_, {.segment_bytes = 200});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->size_bytes(), size_bytes);
  EXPECT_EQ((*again)->oldest_position(), oldest);
  EXPECT_GT(oldest, 1u);
}

TEST_F(JournalTest, SyncMayRunBesideAppend) {
  auto journal = OpenJournal(fs_, {.segment_bytes = 500});
  std::atomic<bool> done = false;
  std::thread syncer([&] {
    while (!done) {
      ASSERT_TRUE((*journal)->Sync().ok());
      std::this_thread::yield();
    }
  });
  std::vector<std::string> expected;
  for (uint64_t i = 0; i < 500; ++i) {
    expected.push_back(Describe({(*journal)->next_position(), BodyNumber(i)}));
    ASSERT_TRUE((*journal)->Append(BodyNumber(i)).ok());
    if (i % 100 == 99) {
      ASSERT_TRUE((*journal)->Prune(i / 2).ok());
    }
  }
  done = true;
  syncer.join();
  const auto found = ScanAll(fs_);
  ASSERT_TRUE(found.ok()) << found.status();
  const size_t pruned = expected.size() - found->records.size();
  EXPECT_TRUE(std::equal(found->records.begin(), found->records.end(), expected.begin() + pruned));
}

}  // namespace
}  // namespace tally::storage
