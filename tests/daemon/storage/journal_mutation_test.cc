// Goal: no directory, however broken, makes a scan crash or invent records.
// Method: seeded random damage to a small journal: bits, ranges, lengths, names, exchanged and
// repeated pieces, and fields with their checksums made right again. TALLY_MUTATIONS sets the
// number of cases.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "daemon/storage/journal.h"
#include "daemon/storage/little_endian.h"
#include "daemon/storage/record_codec.h"
#include "tests/daemon/storage/journal_fixture.h"
#include "tests/support/fault_file_system.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tally::storage {
namespace {

using Files = std::map<std::string, std::string>;

uint64_t Cases() {
  const char* cases = std::getenv("TALLY_MUTATIONS");
  return cases == nullptr ? 20000 / kCasesDivisor : std::strtoull(cases, nullptr, 10);
}

class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // Damages one file.
  void Damage(Files& files) {
    auto file = Pick(files);
    std::string& bytes = file->second;
    switch (Below(9)) {
      case 0:
        return FlipBit(bytes);
      case 1:
        return bytes.resize(Below(bytes.size() + 1));
      case 2:
        return bytes.resize(bytes.size() + Below(5000));
      case 3:
        return Overwrite(bytes);
      case 4:
        bytes.insert(Below(bytes.size() + 1), Piece(Pick(files)->second));
        return;
      case 5:
        bytes.erase(Below(bytes.size() + 1), Below(100));
        return;
      case 6:
        bytes += Piece(Pick(files)->second);
        return;
      case 7:
        std::swap(bytes, Pick(files)->second);
        return;
      default:
        return Rename(files, file);
    }
  }

  // Changes a byte of a record's header or of the fields behind it and makes its checksums right
  // again, in every record behind it too.
  void Forge(Files& files) {
    std::string& segment = Pick(files)->second;
    std::vector<size_t> offsets;
    for (size_t at = kSegmentHeaderBytes; at + kRecordHeaderBytes <= segment.size();) {
      const auto header = DecodeRecordHeader(std::string_view(segment).substr(at));
      if (!header || at + header->record_bytes() > segment.size()) break;
      offsets.push_back(at);
      at += header->record_bytes();
    }
    if (offsets.empty()) return;
    const size_t chosen = Below(offsets.size());
    const size_t byte = offsets[chosen] + 16 + Below(64);
    if (byte < segment.size()) segment[byte] = static_cast<char>(Below(256));
    for (size_t i = chosen; i < offsets.size(); ++i) Repair(segment, offsets, i);
  }

  uint64_t Below(uint64_t bound) { return random_() % bound; }

 private:
  Files::iterator Pick(Files& files) {
    return std::next(files.begin(), static_cast<long>(Below(files.size())));
  }
  std::string Piece(const std::string& bytes) {
    return bytes.substr(Below(bytes.size() + 1), Below(200));
  }
  void FlipBit(std::string& bytes) {
    if (!bytes.empty()) bytes[Below(bytes.size())] ^= static_cast<char>(1 << Below(8));
  }
  void Overwrite(std::string& bytes) {
    const size_t begin = Below(bytes.size() + 1);
    const size_t end = std::min<size_t>(bytes.size(), begin + Below(100));
    for (size_t i = begin; i < end; ++i) bytes[i] = static_cast<char>(random_());
  }
  void Rename(Files& files, Files::iterator file) {
    std::string path = file->first;
    const size_t suffix = path.find(".unsynced");
    if (suffix != std::string::npos) {
      path.resize(suffix);
    } else if (Below(2) == 0) {
      path += ".unsynced";
    } else {
      path[path.find(".journal") - 1 - Below(3)] = static_cast<char>('0' + Below(10));
    }
    std::string bytes = file->second;
    if (Below(3) != 0) files.erase(file);
    files[path] = std::move(bytes);
  }
  void Repair(std::string& segment, const std::vector<size_t>& offsets, size_t i) {
    const size_t at = offsets[i];
    const size_t end = i + 1 < offsets.size() ? offsets[i + 1] : segment.size();
    if (i > 0) {
      StoreLittleEndian(LoadLittleEndian<uint64_t>(segment, offsets[i - 1]), at + 8, segment);
    }
    StoreLittleEndian(static_cast<uint32_t>(XXH3_64bits(segment.data() + at + 8, 28)), at + 36,
                      segment);
    StoreLittleEndian(uint64_t{XXH3_64bits(segment.data() + at + 8, end - at - 8)}, at, segment);
  }

  std::mt19937_64 random_;
};

class JournalMutationTest : public testing::Test {
 protected:
  void SetUp() override {
    FaultFileSystem fs;
    ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
    auto journal = OpenJournal(fs, {.segment_bytes = 300});
    for (uint64_t i = 0; i < 24; ++i) {
      original_.push_back(Describe({(*journal)->next_position(), BodyNumber(i)}));
      ASSERT_TRUE((*journal)->Append(BodyNumber(i)).ok());
      ASSERT_TRUE(i != 16 || (*journal)->Sync().ok());
    }
    files_ = fs.Files();  // the last ones are still called unsynced
    ASSERT_GT(files_.size(), 5u);
  }

  static void Load(const Files& files, FaultFileSystem& fs) {
    ASSERT_TRUE(fs.CreateDirectory(kJournalDirectory).ok());
    for (const auto& [path, bytes] : files) fs.WriteRaw(path, bytes);
  }

  static void CheckCode(const absl::Status& status) {
    ASSERT_TRUE(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status)) << status;
    ASSERT_THAT(std::string(status.message()), testing::HasSubstr("/journal/")) << "names the file";
  }

  // A scan that succeeds must lead to a journal that can be continued.
  static void CheckContinues(FaultFileSystem& fs, const Journaled& found) {
    auto journal = Journal::Open(fs, kJournalDirectory, found.tail, found.tail.next_position, {});
    ASSERT_TRUE(journal.ok()) << journal.status();
    std::vector<std::string> expected = found.records;
    expected.push_back(Describe({(*journal)->next_position(), FlushRecord()}));
    ASSERT_TRUE((*journal)->Append(FlushRecord()).ok());
    const auto again = ScanAll(fs);
    ASSERT_TRUE(again.ok()) << again.status();
    ASSERT_EQ(again->records, expected);
  }

  std::vector<std::string> original_;
  Files files_;
};

TEST_F(JournalMutationTest, DamageNeverCrashesAScanNorInventsRecords) {
  uint64_t readable = 0;
  const uint64_t cases = Cases();
  for (uint64_t seed = 0; seed < cases; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Mutator mutator(seed);
    Files files = files_;
    for (uint64_t i = 0; i <= mutator.Below(3); ++i) mutator.Damage(files);
    FaultFileSystem fs;
    Load(files, fs);
    const auto found = ScanAll(fs, mutator.Below(2) * mutator.Below(70));
    if (!found.ok()) {
      ASSERT_NO_FATAL_FAILURE(CheckCode(found.status()));
      continue;
    }
    ++readable;
    const auto begin = found->records.empty()
                           ? original_.begin()
                           : std::find(original_.begin(), original_.end(), found->records[0]);
    ASSERT_LE(found->records.size(), static_cast<size_t>(original_.end() - begin));
    ASSERT_TRUE(std::equal(found->records.begin(), found->records.end(), begin)) << "invented";
    const auto whole = ScanAll(fs);
    if (!whole.ok()) continue;  // damage before the position this scan began at
    ASSERT_NO_FATAL_FAILURE(CheckContinues(fs, *whole));
  }
  EXPECT_GT(readable, cases / 20) << "the damage is too heavy to test anything but refusal";
  EXPECT_LT(readable, cases - cases / 20);
}

TEST_F(JournalMutationTest, ForgedFieldsNeverCrashAScan) {
  uint64_t readable = 0;
  const uint64_t cases = Cases();
  for (uint64_t seed = 0; seed < cases; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Mutator mutator(seed);
    Files files = files_;
    mutator.Forge(files);
    if (mutator.Below(4) == 0) mutator.Damage(files);
    FaultFileSystem fs;
    Load(files, fs);
    const auto found = ScanAll(fs);
    if (!found.ok()) {
      ASSERT_NO_FATAL_FAILURE(CheckCode(found.status()));
      continue;
    }
    ++readable;
    ASSERT_NO_FATAL_FAILURE(CheckContinues(fs, *found));
  }
  EXPECT_GT(readable, cases / 50);
}

}  // namespace
}  // namespace tally::storage
