// Goal: a reader tells a torn tail from damage, and says what it found, where, and what to do.
// Method: a small journal on a disk in memory: cut at every length, flipped at every bit, segments
// removed, exchanged and renamed, records repeated and forged, formats made newer.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/strings.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/little_endian.h"
#include "daemon/storage/record_codec.h"
#include "tests/daemon/storage/journal_fixture.h"
#include "tests/support/fault_file_system.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tally::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kFirstSegment[] = "/journal/00000000000000000001.journal";

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

class BrokenJournalTest : public testing::Test {
 protected:
  // Three segments of records BodyNumber(0) ...
  void SetUp() override {
    ASSERT_TRUE(fs_.CreateDirectory(kJournalDirectory).ok());
    auto journal = OpenJournal(fs_, {.segment_bytes = 300});
    ASSERT_TRUE(journal.ok()) << journal.status();
    for (uint64_t i = 0; i < 9; ++i) {
      expected_.push_back(Describe({(*journal)->next_position(), BodyNumber(i)}));
      ASSERT_TRUE((*journal)->Append(BodyNumber(i)).ok());
    }
    ASSERT_TRUE((*journal)->Sync().ok());
    files_ = fs_.Files();
    ASSERT_EQ(files_.size(), 3u);
    last_ = files_.rbegin()->first;
  }

  // Paths of the segments, in order.
  std::vector<std::string> Segments() {
    std::vector<std::string> paths;
    for (const auto& [path, bytes] : fs_.Files()) paths.push_back(path);
    return paths;
  }

  // Offset of each record in a segment, and the end of the last one.
  static std::vector<size_t> Boundaries(const std::string& segment) {
    std::vector<size_t> offsets = {kSegmentHeaderBytes};
    while (offsets.back() < segment.size()) {
      const auto header = DecodeRecordHeader(std::string_view(segment).substr(offsets.back()));
      offsets.push_back(offsets.back() + header->record_bytes());
    }
    return offsets;
  }

  FaultFileSystem fs_;
  std::vector<std::string> expected_;
  std::map<std::string, std::string> files_;
  std::string last_;
};

TEST_F(BrokenJournalTest, ATailTornAtAnyByteKeepsTheRecordsBeforeIt) {
  const std::string whole = files_[last_];
  const std::vector<size_t> boundaries = Boundaries(whole);
  ASSERT_GE(boundaries.size(), 3u);
  for (size_t size = kSegmentHeaderBytes; size <= whole.size(); ++size) {
    fs_.WriteRaw(last_, whole.substr(0, size));
    const auto found = ScanAll(fs_);
    ASSERT_TRUE(found.ok()) << size << ": " << found.status();
    size_t kept = 0;
    while (kept + 1 < boundaries.size() && boundaries[kept + 1] <= size) ++kept;
    const size_t lost = boundaries.size() - 1 - kept;
    ASSERT_EQ(found->records, std::vector<std::string>(expected_.begin(),
                                                       expected_.end() - static_cast<long>(lost)));
    ASSERT_EQ(found->tail.segment, last_);
    ASSERT_EQ(found->tail.valid_bytes, boundaries[kept]);
    ASSERT_EQ(found->tail.torn_bytes, size - boundaries[kept]);
  }
}

TEST_F(BrokenJournalTest, ATailTornAtAnyByteIsCutAndContinued) {
  const std::string whole = files_[last_];
  for (size_t size = kSegmentHeaderBytes; size <= whole.size(); ++size) {
    fs_.WriteRaw(last_, whole.substr(0, size));
    std::vector<std::string> expected = ScanAll(fs_)->records;
    auto journal = OpenJournal(fs_);
    ASSERT_TRUE(journal.ok()) << journal.status();
    expected.push_back(Describe({(*journal)->next_position(), BodyNumber(99)}));
    ASSERT_TRUE((*journal)->Append(BodyNumber(99)).ok());
    const auto found = ScanAll(fs_);
    ASSERT_TRUE(found.ok()) << size << ": " << found.status();
    ASSERT_EQ(found->records, expected);
    ASSERT_EQ(found->tail.torn_bytes, 0u);
  }
}

TEST_F(BrokenJournalTest, ZerosBehindTheLastRecordAreATornTail) {
  for (const size_t zeros : {1u, 7u, 8u, 39u, 40u, 41u, 512u, 4096u, 1u << 20}) {
    fs_.WriteRaw(last_, files_[last_] + std::string(zeros, '\0'));
    const auto found = ScanAll(fs_);
    ASSERT_TRUE(found.ok()) << zeros << ": " << found.status();
    ASSERT_EQ(found->records, expected_);
    ASSERT_EQ(found->tail.torn_bytes, zeros);
  }
}

TEST_F(BrokenJournalTest, EveryFlippedBitIsDamageOrATornLastRecord) {
  for (const auto& [path, whole] : files_) {
    const std::vector<size_t> boundaries = Boundaries(whole);
    const size_t last_record = path == last_ ? boundaries[boundaries.size() - 2] : whole.size();
    for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      std::string flipped = whole;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      fs_.WriteRaw(path, flipped);
      const auto found = ScanAll(fs_);
      if (bit / 8 < last_record) {
        ASSERT_TRUE(absl::IsDataLoss(found.status())) << path << " bit " << bit;
        ASSERT_THAT(MessageOf(found.status()), HasSubstr(path));
        ASSERT_THAT(MessageOf(found.status()), HasSubstr("Restore the file"));
      } else if (found.ok()) {
        ASSERT_EQ(found->records, std::vector<std::string>(expected_.begin(), expected_.end() - 1));
        ASSERT_EQ(found->tail.valid_bytes, last_record);
      } else {
        ASSERT_TRUE(absl::IsDataLoss(found.status())) << path << " bit " << bit;
      }
    }
    fs_.WriteRaw(path, whole);
  }
}

TEST_F(BrokenJournalTest, DamageIsReportedWithFileOffsetAndPosition) {
  std::string flipped = files_[kFirstSegment];
  const std::vector<size_t> boundaries = Boundaries(flipped);
  flipped[boundaries[1] + 60] ^= 1;
  fs_.WriteRaw(kFirstSegment, flipped);
  const std::string message = MessageOf(ScanAll(fs_).status());
  EXPECT_THAT(message, HasSubstr(kFirstSegment));
  EXPECT_THAT(message, HasSubstr(text::StrCat("byte ", boundaries[1], ", position 2")));
  EXPECT_THAT(message, HasSubstr("checksum"));
}

TEST_F(BrokenJournalTest, ACutSegmentWithAnotherBehindItIsDamage) {
  const std::string whole = files_[kFirstSegment];
  for (size_t size = 0; size < whole.size(); ++size) {
    fs_.WriteRaw(kFirstSegment, whole.substr(0, size));
    const auto found = ScanAll(fs_);
    ASSERT_TRUE(absl::IsDataLoss(found.status())) << size << ": " << found.status();
    ASSERT_THAT(MessageOf(found.status()), HasSubstr("segment"));
  }
}

TEST_F(BrokenJournalTest, ACutSegmentWithOnlyUnsyncedOnesBehindItIsATornTail) {
  auto second = std::next(files_.begin());
  for (auto file = second; file != files_.end(); ++file) {
    ASSERT_TRUE(fs_.Rename(file->first, file->first + ".unsynced").ok());
  }
  const std::string whole = files_[kFirstSegment];
  const size_t behind = second->second.size() + files_.rbegin()->second.size();
  for (size_t size = kSegmentHeaderBytes; size < whole.size(); ++size) {
    fs_.WriteRaw(kFirstSegment, whole.substr(0, size));
    const auto found = ScanAll(fs_);
    ASSERT_TRUE(found.ok()) << size << ": " << found.status();
    ASSERT_EQ(found->tail.segment, kFirstSegment);
    ASSERT_EQ(found->tail.valid_bytes + found->tail.torn_bytes, size + behind);
  }
  auto journal = OpenJournal(fs_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_THAT(Segments(), ElementsAre(kFirstSegment)) << "what lay behind the tear is gone";
}

TEST_F(BrokenJournalTest, UnsyncedSegmentsThatAreWholeAreReadAndMadeDurable) {
  for (auto file = std::next(files_.begin()); file != files_.end(); ++file) {
    ASSERT_TRUE(fs_.Rename(file->first, file->first + ".unsynced").ok());
  }
  EXPECT_EQ(ScanAll(fs_)->records, expected_);
  auto journal = OpenJournal(fs_);
  ASSERT_TRUE(journal.ok()) << journal.status();
  fs_.Reboot(0);
  EXPECT_EQ(fs_.Files(), files_) << "with their final names";
}

TEST_F(BrokenJournalTest, AnUnsyncedSegmentWithABrokenHeaderIsDropped) {
  const std::string path = last_ + ".unsynced";
  ASSERT_TRUE(fs_.Rename(last_, path).ok());
  for (size_t size = 0; size < kSegmentHeaderBytes; ++size) {
    fs_.WriteRaw(path, files_[last_].substr(0, size));
    const auto found = ScanAll(fs_);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(found->tail.segment, std::next(files_.begin())->first);
    ASSERT_EQ(found->tail.torn_bytes, size);
    // Reading from a position behind the drop finds the same end.
    ASSERT_EQ(ScanAll(fs_, 1000)->tail.next_position, found->tail.next_position);
  }
}

TEST_F(BrokenJournalTest, AMissingSegmentIsDamage) {
  ASSERT_TRUE(fs_.RemoveFile(std::next(files_.begin())->first).ok());
  const absl::Status status = ScanAll(fs_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("a segment is missing"));
  EXPECT_THAT(MessageOf(status), HasSubstr(last_));
}

TEST_F(BrokenJournalTest, ASegmentOfAnotherJournalIsDamage) {
  FaultFileSystem other;
  ASSERT_TRUE(other.CreateDirectory(kJournalDirectory).ok());
  auto journal = OpenJournal(other, {.segment_bytes = 300});
  for (uint64_t i = 0; i < 9; ++i) {
    RecordBody body = BodyNumber(i);
    if (auto* samples = std::get_if<SamplesRecord>(&body)) samples->rows[0] ^= 1;
    ASSERT_TRUE((*journal)->Append(body).ok());
  }
  ASSERT_TRUE((*journal)->Sync().ok());
  const std::string path = std::next(files_.begin())->first;
  fs_.WriteRaw(path, other.Files()[path]);
  const absl::Status status = ScanAll(fs_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("another checksum"));
}

TEST_F(BrokenJournalTest, ASegmentUnderAnotherNameIsDamage) {
  ASSERT_TRUE(fs_.Rename(last_, "/journal/00000000000000009999.journal").ok());
  const absl::Status status = ScanAll(fs_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("not the one in its name"));
}

TEST_F(BrokenJournalTest, ARecordThatIsThereTwiceOrOutOfOrderIsDamage) {
  const std::string whole = files_[last_];
  const std::vector<size_t> boundaries = Boundaries(whole);
  const std::string first = whole.substr(boundaries[0], boundaries[1] - boundaries[0]);
  fs_.WriteRaw(last_, whole + first);
  EXPECT_TRUE(absl::IsDataLoss(ScanAll(fs_).status())) << "there twice";
  fs_.WriteRaw(last_, whole.substr(0, boundaries[0]) + whole.substr(boundaries[1]));
  const absl::Status status = ScanAll(fs_).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << "the first one is missing";
  EXPECT_THAT(MessageOf(status), HasSubstr("does not continue the one before it"));
}

TEST_F(BrokenJournalTest, ForeignFilesAreIgnored) {
  for (const char* name : {"/journal/README", "/journal/00000000000000000001.journal.bak",
                           "/journal/99999999999999999999.journal", "/journal/1.journal"}) {
    fs_.WriteRaw(name, "foreign");
  }
  EXPECT_EQ(ScanAll(fs_)->records, expected_);
}

// ---- Newer formats.

TEST_F(BrokenJournalTest, ANewerSegmentIsRefusedAndSaysWhatToDo) {
  std::string newer = files_[last_];
  newer[8] = 2;
  StoreLittleEndian(uint64_t{XXH3_64bits(newer.data(), 32)}, 32, newer);
  fs_.WriteRaw(last_, newer);
  const absl::Status status = ScanAll(fs_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("format version 2"));
  EXPECT_THAT(MessageOf(status), HasSubstr("newer tallyd"));
  EXPECT_THAT(MessageOf(status), HasSubstr(last_));
}

// Changes one byte of the last record's header and makes both checks right again.
std::string WithLastHeaderByte(std::string segment, size_t record, size_t offset, char value) {
  segment[record + offset] = value;
  StoreLittleEndian(static_cast<uint32_t>(XXH3_64bits(segment.data() + record + 8, 28)),
                    record + 36, segment);
  StoreLittleEndian(uint64_t{XXH3_64bits(segment.data() + record + 8, segment.size() - record - 8)},
                    record, segment);
  return segment;
}

TEST_F(BrokenJournalTest, ANewerRecordIsRefusedAndSaysWhatToDo) {
  const std::vector<size_t> boundaries = Boundaries(files_[last_]);
  const size_t record = boundaries[boundaries.size() - 2];
  struct Case {
    size_t offset;
    char value;
  };
  for (const Case& c : {Case{33, 2}, Case{32, 5}, Case{32, 6}, Case{32, 100}, Case{32, 0}}) {
    fs_.WriteRaw(last_, WithLastHeaderByte(files_[last_], record, c.offset, c.value));
    const absl::Status status = ScanAll(fs_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(MessageOf(status), HasSubstr("newer tallyd"));
    EXPECT_THAT(MessageOf(status), HasSubstr(text::StrCat("byte ", record)));
  }
}

TEST_F(BrokenJournalTest, ARecordWithRightChecksumsButWrongFieldsIsDamage) {
  auto journal = OpenJournal(fs_);
  ASSERT_TRUE((*journal)->Append(Samples("s", 1, 2, 3)).ok());
  const std::string whole = fs_.Files()[last_];
  const std::vector<size_t> boundaries = Boundaries(whole);
  const size_t record = boundaries[boundaries.size() - 2];
  struct Case {
    const char* what;
    size_t offset;
    char value;
  };
  for (const Case& c : {Case{"no positions", 28, 0}, Case{"more positions than rows", 28, 3},
                        Case{"huge count", 31, 127}, Case{"a control record of two", 32, 2},
                        Case{"row bytes", 40 + 8, 5}, Case{"no row bytes", 40 + 8, 0},
                        Case{"source bytes", 40 + 12, 100}, Case{"label bytes", 40 + 13, 3}}) {
    fs_.WriteRaw(last_, WithLastHeaderByte(whole, record, c.offset, c.value));
    const absl::Status status = ScanAll(fs_).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << c.what << ": " << status;
    EXPECT_THAT(MessageOf(status), HasSubstr("breaks the format")) << c.what;
  }
}

}  // namespace
}  // namespace tally::storage
