// Goal: the end of a segment is stored whole or not at all, believed only if it is right, and gone
// with its segment.
// Method: hand-made bytes; every bit flipped and every cut; a crash and a failure at every
// file-system call of the store on a disk in memory.

#include "daemon/storage/segment_end_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/storage/little_endian.h"
#include "daemon/storage/record_codec.h"
#include "tests/daemon/storage/journal_fixture.h"
#include "tests/support/fault_file_system.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tally::storage {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Found = SegmentEndStore::Found;

constexpr char kPath[] = "/journal/00000000000000000258.audit";
constexpr uint64_t kSeeds = 10;

std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

SegmentEnd End(uint64_t first_position, char digit = 'a') {
  return {first_position, first_position + 9, DigestOf(digit)};
}

// Makes the checksum right again.
std::string Sealed(std::string bytes) {
  StoreLittleEndian(uint64_t{XXH3_64bits(bytes.data(), 64)}, 64, bytes);
  return bytes;
}

class SegmentEndStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.CreateDirectory(kJournalDirectory).ok());
    ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  }
  std::vector<std::string> Names() { return *fs_.ListDirectory(kJournalDirectory); }

  FaultFileSystem fs_;
  SegmentEndStore store_{fs_, kJournalDirectory};
};

TEST_F(SegmentEndStoreTest, BytesAreAsTheFormatSays) {
  using namespace std::string_literals;
  const std::string bytes =
      Sealed("TALLYAUD"s + "\1\0\0\0\0\0\0\0"s + "\2\1\0\0\0\0\0\0"s + "\13\1\0\0\0\0\0\0"s +
             std::string(32, '\xaa') + std::string(8, '\0'));
  EXPECT_EQ(EncodeSegmentEnd(End(258)), bytes);
  EXPECT_EQ(*DecodeSegmentEnd(bytes), End(258));
  ASSERT_TRUE(store_.Write({End(258)}).ok());
  EXPECT_EQ(store_.PathOf(258), kPath);
  EXPECT_EQ(*fs_.ReadFile(kPath), bytes);
}

TEST_F(SegmentEndStoreTest, AStoredEndIsDurableAndRight) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_TRUE(store_.Write({End(10 * seed + 1), End(10 * seed + 5)}).ok());
    fs_.Reboot(seed);
    EXPECT_EQ(*store_.Check(End(10 * seed + 1)), Found::kRight);
    EXPECT_EQ(*store_.Check(End(10 * seed + 5)), Found::kRight);
  }
  EXPECT_EQ(*store_.Check(End(7)), Found::kAbsent);
  EXPECT_EQ(fs_.Files().size(), 2 * kSeeds);
}

TEST_F(SegmentEndStoreTest, NothingToStoreIsNoCall) {
  const uint64_t calls = fs_.mutating_calls();
  EXPECT_TRUE(store_.Write({}).ok());
  EXPECT_EQ(fs_.mutating_calls(), calls);
}

TEST_F(SegmentEndStoreTest, EveryFlippedBitAndEveryCutIsSetAside) {
  const std::string whole = EncodeSegmentEnd(End(258));
  std::vector<std::string> damaged = {whole + "x"};
  for (size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    damaged.push_back(whole);
    damaged.back()[bit / 8] = static_cast<char>(whole[bit / 8] ^ (1 << (bit % 8)));
  }
  for (size_t size = 0; size < whole.size(); ++size) damaged.push_back(whole.substr(0, size));
  for (const std::string& bytes : damaged) {
    FaultFileSystem fs;
    ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    fs.WriteRaw(kPath, bytes);
    SegmentEndStore store(fs, kJournalDirectory);
    const auto found = store.Check(End(258));
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(*found, Found::kSetAside);
    fs.Reboot(1);
    ASSERT_EQ(*fs.ReadFile(std::string(kPath) + ".damaged"), bytes);
    ASSERT_EQ(*store.Check(End(258)), Found::kAbsent);
    ASSERT_TRUE(store.Write({End(258)}).ok());
    ASSERT_EQ(*store.Check(End(258)), Found::kRight);
  }
}

TEST_F(SegmentEndStoreTest, AWholeEndThatSaysSomethingElseIsDamageOfTheJournal) {
  SegmentEnd longer = End(258);
  ++longer.last_position;
  for (const SegmentEnd& other : {End(258, 'b'), longer, End(259)}) {
    fs_.WriteRaw(kPath, EncodeSegmentEnd(other));
    const absl::Status status = store_.Check(End(258)).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(MessageOf(status), AllOf(HasSubstr(kPath), HasSubstr("positions 258 to 267"),
                                         HasSubstr(other.chain_head), HasSubstr("restore")));
    EXPECT_EQ(*fs_.ReadFile(kPath), EncodeSegmentEnd(other));
  }
}

TEST_F(SegmentEndStoreTest, AnEndOfANewerFormatIsRefusedAndSaysWhatToDo) {
  std::string newer = EncodeSegmentEnd(End(258));
  newer[8] = 2;
  for (const std::string& bytes : {Sealed(newer), Sealed(newer) + " and more"}) {
    fs_.WriteRaw(kPath, bytes);
    const absl::Status status = store_.Check(End(258)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(MessageOf(status),
                AllOf(HasSubstr(kPath), HasSubstr("format version 2"), HasSubstr("newer tallyd")));
    EXPECT_EQ(*fs_.ReadFile(kPath), bytes);
  }
}

TEST_F(SegmentEndStoreTest, AnErrorOfTheDiskIsNoDamage) {
  ASSERT_TRUE(fs_.CreateDirectory(kPath).ok());
  EXPECT_FALSE(store_.Check(End(258)).ok());
  EXPECT_TRUE(fs_.IsDirectory(kPath).ok()) << "not set aside";
}

TEST_F(SegmentEndStoreTest, RemovesEndsOfOldSegmentsAndLeftovers) {
  ASSERT_TRUE(store_.Write({End(1), End(11), End(21)}).ok());
  for (const char* name : {"00000000000000000031.audit.new", "00000000000000000001.journal",
                           "00000000000000000011.journal.unsynced", "1.audit",
                           "00000000000000000001.audit.damaged", "000000000000000000x1.audit"}) {
    fs_.WriteRaw(std::string(kJournalDirectory) + "/" + name, "x");
  }
  ASSERT_TRUE(store_.RemoveBefore(11).ok());
  EXPECT_THAT(Names(),
              ElementsAre("00000000000000000001.audit.damaged", "00000000000000000001.journal",
                          "00000000000000000011.audit", "00000000000000000011.journal.unsynced",
                          "00000000000000000021.audit", "000000000000000000x1.audit", "1.audit"));
}

// Two ends are there; one is replaced, one is added, the first is removed.
absl::Status Script(SegmentEndStore& store) {
  absl::Status status = store.Write({End(11, 'b'), End(21, 'c')});
  if (status.ok()) status = store.RemoveBefore(11);
  return status;
}

void CheckDisk(FaultFileSystem& fs, bool done) {
  SegmentEndStore store(fs, kJournalDirectory);
  ASSERT_TRUE(store.RemoveBefore(1).ok());
  for (const auto& [path, bytes] : fs.Files()) {
    const auto end = DecodeSegmentEnd(bytes);
    ASSERT_TRUE(end.ok()) << path << ": " << end.status();
    ASSERT_EQ(path, store.PathOf(end->first_position));
    ASSERT_TRUE(*end == End(1) || *end == End(11) || *end == End(11, 'b') || *end == End(21, 'c'));
  }
  ASSERT_TRUE(fs.ReadFile(store.PathOf(11)).ok());
  ASSERT_TRUE(!done || fs.ReadFile(store.PathOf(21)).ok());
}

TEST(SegmentEndStoreCrashTest, ACrashAtAnyCallLeavesWholeEndsOnly) {
  uint64_t states = 0;
  for (const CrashKind kind : {CrashKind::kPowerLoss, CrashKind::kKill}) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      bool crashed = true;
      for (uint64_t k = 1; crashed; ++k, ++states) {
        FaultFileSystem fs;
        ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
        ASSERT_TRUE(fs.SyncDirectory("/").ok());
        SegmentEndStore store(fs, kJournalDirectory);
        ASSERT_TRUE(store.Write({End(1), End(11)}).ok());
        fs.CrashAtCall(fs.mutating_calls() + k, kind);
        crashed = !Script(store).ok();
        ASSERT_EQ(crashed, fs.crashed());
        fs.Reboot(seed);
        CheckDisk(fs, !crashed);
        if (HasFatalFailure()) return;
      }
    }
  }
  EXPECT_GT(states, 20 * kSeeds);
}

TEST(SegmentEndStoreCrashTest, AFailureAtAnyCallLeavesWholeEndsAndMayBeRepeated) {
  for (const absl::Status& error :
       {absl::ResourceExhaustedError("ENOSPC"), absl::DataLossError("EIO")}) {
    for (uint64_t k = 1; k <= 15; ++k) {
      FaultFileSystem fs;
      ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
      SegmentEndStore store(fs, kJournalDirectory);
      ASSERT_TRUE(store.Write({End(1), End(11)}).ok());
      fs.FailCall(fs.mutating_calls() + k, error, /*sticky=*/false, /*partial_write=*/true);
      const absl::Status status = Script(store);
      fs.ClearFaults();
      ASSERT_TRUE(status.ok() || status.code() == error.code()) << status;
      CheckDisk(fs, status.ok());
      if (testing::Test::HasFatalFailure()) return;
      ASSERT_TRUE(Script(store).ok());
      CheckDisk(fs, true);
    }
  }
}

}  // namespace
}  // namespace tally::storage
