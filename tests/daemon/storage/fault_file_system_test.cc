// Goal: the test disk forgets exactly what a real one may forget, so that the crash tests mean
// something. Method: one promise of fault_file_system.h a test; over many seeds every allowed
// outcome must occur.

#include "tests/support/fault_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace tally::storage {
namespace {

constexpr uint64_t kSeeds = 400;

std::unique_ptr<WritableFile> MustCreate(FileSystem& fs, const std::string& path) {
  auto file = fs.CreateExclusive(path);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

TEST(FaultFileSystemTest, SyncedBytesSurviveAndUnsyncedOnesMayOrMayNot) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    auto file = MustCreate(fs, "/a");
    ASSERT_TRUE(file->Append("ab").ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    ASSERT_TRUE(file->Append("cd").ok());
    fs.Reboot(seed);
    outcomes.insert(*fs.ReadFile("/a"));
    EXPECT_FALSE(file->Append("x").ok()) << "the file was open before the reboot";
  }
  const std::string zero(1, '\0');
  EXPECT_EQ(outcomes, (std::set<std::string>{"ab", "abc", "abcd", "ab" + zero, "ab" + zero + zero,
                                             "abc" + zero}));
}

TEST(FaultFileSystemTest, TornBytesEndAtSectorsToo) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    fs.WriteRaw("/a", std::string(100, 's'));
    auto file = fs.OpenForAppend("/a");
    ASSERT_TRUE((*file)->Append(std::string(10000, 'u')).ok());
    fs.Reboot(seed);
    sizes.insert(fs.ReadFile("/a")->size());
  }
  EXPECT_TRUE(sizes.count(100) && sizes.count(512) && sizes.count(4096) && sizes.count(10100));
  EXPECT_EQ(*sizes.begin(), 100u);
}

TEST(FaultFileSystemTest, AnUnsyncedTruncationMayBeUndone) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    fs.WriteRaw("/a", "abcd");
    auto file = fs.OpenForAppend("/a");
    ASSERT_TRUE((*file)->Truncate(2).ok());
    ASSERT_TRUE((*file)->Append("X").ok());
    fs.Reboot(seed);
    outcomes.insert(*fs.ReadFile("/a"));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"abcd", "ab", "abX", std::string("ab\0", 3)}));
}

TEST(FaultFileSystemTest, DirectoryChangesSurviveOnlyWithASyncOrLuck) {
  std::set<std::vector<std::string>> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    MustCreate(fs, "/durable");
    ASSERT_TRUE(fs.SyncDirectory("/").ok());
    MustCreate(fs, "/a.tmp");
    ASSERT_TRUE(fs.Rename("/a.tmp", "/a").ok());
    ASSERT_TRUE(fs.RemoveFile("/durable").ok());
    fs.Reboot(seed);
    outcomes.insert(*fs.ListDirectory("/"));
  }
  EXPECT_THAT(outcomes,
              testing::UnorderedElementsAre(
                  testing::ElementsAre("durable"), testing::ElementsAre("a.tmp", "durable"),
                  testing::ElementsAre("a", "durable"), testing::ElementsAre("a"),
                  testing::ElementsAre("a.tmp"), testing::IsEmpty()))
      << "a rename keeps both names together";
}

TEST(FaultFileSystemTest, KillKeepsEverythingThatWasWritten) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    auto file = MustCreate(fs, "/a");
    ASSERT_TRUE(file->Append("ab").ok());
    fs.CrashAtCall(3, CrashKind::kKill);
    EXPECT_TRUE(absl::IsDataLoss(file->Append("cdef")));
    EXPECT_TRUE(fs.crashed());
    EXPECT_FALSE(fs.ReadFile("/a").ok());
    fs.Reboot(seed);
    EXPECT_FALSE(fs.crashed());
    outcomes.insert(*fs.ReadFile("/a"));
  }
  EXPECT_EQ(outcomes, (std::set<std::string>{"ab", "abcd", "abcdef"})) << "the call in flight";
}

TEST(FaultFileSystemTest, ACallFailsOnceOrForEver) {
  FaultFileSystem fs;
  auto file = MustCreate(fs, "/a");
  fs.FailCall(2, absl::DataLossError("EIO"));
  EXPECT_TRUE(absl::IsDataLoss(file->Append("x")));
  EXPECT_TRUE(file->Append("y").ok());
  fs.FailCall(fs.mutating_calls() + 1, absl::DataLossError("EIO"), true);
  EXPECT_TRUE(absl::IsDataLoss(file->Sync()));
  EXPECT_TRUE(absl::IsDataLoss(file->Sync()));
  fs.ClearFaults();
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_EQ(*fs.ReadFile("/a"), "y");
}

TEST(FaultFileSystemTest, AFullDiskRefusesOnlyWhatNeedsSpace) {
  FaultFileSystem fs;
  auto file = MustCreate(fs, "/a");
  ASSERT_TRUE(file->Append("ab").ok());
  fs.FailCall(1, absl::ResourceExhaustedError("ENOSPC"), true, true);
  EXPECT_TRUE(absl::IsResourceExhausted(file->Append("cdef")));
  EXPECT_EQ(*fs.ReadFile("/a"), "abcd") << "half of the bytes found room";
  EXPECT_EQ(file->size_bytes(), 4u);
  EXPECT_TRUE(absl::IsResourceExhausted(fs.CreateExclusive("/b").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(fs.CreateDirectory("/d")));
  EXPECT_TRUE(file->Truncate(2).ok());
  EXPECT_TRUE(file->Sync().ok());
  EXPECT_TRUE(fs.Rename("/a", "/c").ok());
  EXPECT_TRUE(fs.RemoveFile("/c").ok());
}

TEST(FaultFileSystemTest, LocksEndWithTheMachine) {
  FaultFileSystem fs;
  auto held = fs.Lock("/LOCK", "pid 1");
  ASSERT_TRUE(held.ok());
  fs.Reboot(1);
  auto next = fs.Lock("/LOCK", "pid 2");
  ASSERT_TRUE(next.ok()) << next.status();
  held->reset();
  EXPECT_FALSE(fs.Lock("/LOCK", "pid 3").ok()) << "an old lock must not release a new one";
}

}  // namespace
}  // namespace tally::storage
