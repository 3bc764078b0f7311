// Goal: journals written by released versions are read for ever, and today's bytes are those
// released.
// Method: fixtures/v1/journal was written by the first release with the records below, its last 20
// bytes a torn tail; it must scan to them, and writing them again must give the same bytes.
// fixtures/v1/audit has the ends of its two closed segments.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/storage/audit_chain.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/record_codec.h"
#include "daemon/storage/segment_end_store.h"
#include "daemon/storage/segment_files.h"
#include "tests/daemon/storage/journal_fixture.h"
#include "tests/support/fault_file_system.h"

namespace tally::storage {
namespace {

const std::string kFixture = std::string(TALLY_STORAGE_FIXTURES) + "/v1/journal";
const std::string kEnds = std::string(TALLY_STORAGE_FIXTURES) + "/v1/audit";
constexpr JournalOptions kOptions = {.segment_bytes = 240};
constexpr size_t kTornBytes = 20;

std::vector<Record> Records() {
  SamplesRecord wide = {"door.7", 3, "AABBCC", {0, 65535, 256}};
  SamplesRecord widest = {"door.7", 6, "D", {4294967295u}};
  return {{11, SamplesRecord{"camera-1", 1, "0123456789ab", {7, 0, 255}}},
          {14, FlushRecord()},
          {15, DigestRecord{1, DigestOf('a')}},
          {16, wide},
          {19, RollbackRecord{10, DigestOf('5')}},
          {20, widest},
          {21, SamplesRecord{"camera-1", 4, "wxyz", {9}}}};
}

TEST(JournalFixtureTest, TheFirstReleasesJournalScansToItsRecords) {
  const auto found = ScanAll(PosixFileSystem(), 0, kFixture);
  ASSERT_TRUE(found.ok()) << found.status();
  std::vector<std::string> expected;
  for (const Record& record : Records()) expected.push_back(Describe(record));
  EXPECT_EQ(found->records, expected);
  EXPECT_EQ(found->tail.next_position, 22u);
  EXPECT_EQ(found->tail.torn_bytes, kTornBytes);
  EXPECT_EQ(found->tail.chain, 0xad8c91323bce9cd4ull);
}

TEST(JournalFixtureTest, TheFirstReleasesJournalHasItsAuditChain) {
  std::string head = GenesisChainHead();
  const auto tail = ScanJournal(PosixFileSystem(), kFixture, 0, [&head](Record record) {
    head = NextChainHead(head, record);
    return absl::OkStatus();
  });
  ASSERT_TRUE(tail.ok()) << tail.status();
  EXPECT_EQ(head, "303c1394cf5ca73c6e7ec82afa7c13cb919b6938fc1cda27e89fa44b0f708cd8");
}

TEST(JournalFixtureTest, TheFirstReleasesSegmentsHaveTheEndsItStored) {
  // The ends that the journal itself gives; the heads were computed by another program as well.
  const std::vector<SegmentEnd> ends = {
      {11, 15, "16e315f2f4caef9c8119769502d3a582c1d16056dbbf4285c2ec7a8f3c302a28"},
      {16, 20, "eb9b312a9c3ccedd3dd362a934fa9ef38059a8d74919579db1de7c28373504f9"}};
  std::string head = GenesisChainHead();
  std::vector<SegmentEnd> computed;
  uint64_t segment = 11;
  const auto tail = ScanJournal(PosixFileSystem(), kFixture, 0, [&](const Record& record) {
    if (record.segment != segment) computed.push_back({segment, record.first_position - 1, head});
    segment = record.segment;
    head = NextChainHead(head, record);
    return absl::OkStatus();
  });
  ASSERT_TRUE(tail.ok()) << tail.status();
  EXPECT_EQ(computed, ends);
  for (const SegmentEnd& end : ends) {
    const auto released = PosixFileSystem().ReadFile(SegmentEndPath(kEnds, end.first_position));
    ASSERT_TRUE(released.ok()) << released.status();
    EXPECT_EQ(EncodeSegmentEnd(end), *released);
    EXPECT_EQ(*SegmentEndStore(PosixFileSystem(), kEnds).Check(end),
              SegmentEndStore::Found::kRight);
  }
}

TEST(JournalFixtureTest, TheSameRecordsGiveTheSameBytesToday) {
  FaultFileSystem fs;
  ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
  auto journal = OpenJournal(fs, kOptions, 11);
  ASSERT_TRUE(journal.ok()) << journal.status();
  for (const Record& record : Records()) ASSERT_TRUE((*journal)->Append(record.body).ok());
  ASSERT_TRUE((*journal)->Sync().ok());
  const std::vector<std::string> names = *fs.ListDirectory(kJournalDirectory);
  EXPECT_EQ(names, *PosixFileSystem().ListDirectory(kFixture));
  for (const std::string& name : names) {
    std::string released = *PosixFileSystem().ReadFile(kFixture + "/" + name);
    if (name == names.back()) released.resize(released.size() - kTornBytes);
    EXPECT_EQ(*fs.ReadFile(std::string(kJournalDirectory) + "/" + name), released) << name;
  }
}

}  // namespace
}  // namespace tally::storage
