// Goal: whatever happens while a generation is written, the old or the new one is there, whole.
// Method: the store on a disk in memory: every call, then a crash and a failure at every
// file-system call.

#include "daemon/storage/checkpoint_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/fault_file_system.h"

namespace tally::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kSeeds = 20;

class CheckpointStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fs_.CreateDirectory("/c").ok());
    ASSERT_TRUE(fs_.SyncDirectory("/").ok());
  }

  FaultFileSystem fs_;
  CheckpointStore store_{fs_, "/c"};
};

TEST_F(CheckpointStoreTest, WrittenGenerationsAreListedAndRead) {
  EXPECT_THAT(*store_.List(), IsEmpty());
  for (const uint64_t position : {100u, 0u, 9u}) {
    ASSERT_TRUE(store_.Write(position, "bytes of " + std::to_string(position)).ok());
  }
  EXPECT_THAT(*store_.List(), ElementsAre(0, 9, 100)) << "by number, not by name";
  EXPECT_EQ(*store_.Read(9), "bytes of 9");
  EXPECT_EQ(store_.PathOf(9), "/c/9.safetensors");
  EXPECT_TRUE(absl::IsNotFound(store_.Read(10).status()));
}

TEST_F(CheckpointStoreTest, AGenerationOfTheSamePositionIsReplaced) {
  ASSERT_TRUE(store_.Write(5, "old").ok());
  ASSERT_TRUE(store_.Write(5, "new").ok());
  EXPECT_THAT(*store_.List(), ElementsAre(5));
  EXPECT_EQ(*store_.Read(5), "new");
}

TEST_F(CheckpointStoreTest, AWrittenGenerationIsDurableAndLeavesNothingElse) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_TRUE(store_.Write(seed, "bytes").ok());
    fs_.Reboot(seed);
    ASSERT_EQ(*store_.Read(seed), "bytes");
  }
  EXPECT_EQ(fs_.Files().size(), kSeeds);
}

TEST_F(CheckpointStoreTest, ForeignNamesAreIgnored) {
  for (const char* name : {"/c/007.safetensors", "/c/x.safetensors", "/c/.safetensors", "/c/7",
                           "/c/7.safetensors.damaged", "/c/99999999999999999999.safetensors"}) {
    fs_.WriteRaw(name, "foreign");
  }
  EXPECT_THAT(*store_.List(), IsEmpty());
}

TEST_F(CheckpointStoreTest, LeftoversAreRemovedAndNothingElse) {
  fs_.WriteRaw("/c/7.safetensors.new", "half");
  fs_.WriteRaw("/c/6.safetensors", "whole");
  fs_.WriteRaw("/c/5.safetensors.damaged", "evidence");
  ASSERT_TRUE(store_.RemoveLeftovers().ok());
  EXPECT_THAT(*fs_.ListDirectory("/c"), ElementsAre("5.safetensors.damaged", "6.safetensors"));
}

TEST_F(CheckpointStoreTest, AStaleTemporaryFileDoesNotStopAWrite) {
  fs_.WriteRaw("/c/7.safetensors.new", "half of something longer than the new one");
  ASSERT_TRUE(store_.Write(7, "new").ok());
  EXPECT_EQ(*store_.Read(7), "new");
}

TEST_F(CheckpointStoreTest, DamagedGenerationsAreSetAsideAndNeverLost) {
  for (const char* bytes : {"first", "second", "third"}) {
    ASSERT_TRUE(store_.Write(7, bytes).ok());
    ASSERT_TRUE(store_.SetAside(7).ok());
    fs_.Reboot(1);
  }
  EXPECT_THAT(*store_.List(), IsEmpty());
  EXPECT_EQ(*fs_.ReadFile("/c/7.safetensors.damaged"), "first");
  EXPECT_EQ(*fs_.ReadFile("/c/7.safetensors.damaged.2"), "second");
  EXPECT_EQ(*fs_.ReadFile("/c/7.safetensors.damaged.3"), "third");
  EXPECT_TRUE(absl::IsNotFound(store_.SetAside(7)));
}

TEST_F(CheckpointStoreTest, PruningKeepsTheNewestAndThePinnedOnes) {
  for (uint64_t position = 1; position <= 6; ++position) {
    ASSERT_TRUE(store_.Write(position, "x").ok());
  }
  ASSERT_TRUE(store_.Prune(3, {2}).ok());
  EXPECT_THAT(*store_.List(), ElementsAre(2, 4, 5, 6));
  ASSERT_TRUE(store_.Prune(10, {}).ok());
  EXPECT_THAT(*store_.List(), ElementsAre(2, 4, 5, 6));
  ASSERT_TRUE(store_.Prune(0, {}).ok());
  EXPECT_THAT(*store_.List(), ElementsAre(6)) << "the newest one is never deleted";
}

// A disk that loses a bit between write and read.
class LyingFile final : public WritableFile {
 public:
  explicit LyingFile(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}
  absl::Status Append(std::string_view bytes) override {
    std::string altered(bytes);
    altered[altered.size() / 2] ^= 4;
    return file_->Append(altered);
  }
  absl::Status Truncate(uint64_t size_bytes) override { return file_->Truncate(size_bytes); }
  absl::Status Sync() override { return file_->Sync(); }
  uint64_t size_bytes() const override { return file_->size_bytes(); }

 private:
  std::unique_ptr<WritableFile> file_;
};

class LyingFileSystem final : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> CreateExclusive(const std::string& path) override {
    auto file = fs_.CreateExclusive(path);
    if (!file.ok()) return file.status();
    return std::make_unique<LyingFile>(*std::move(file));
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override {
    return fs_.OpenForAppend(path);
  }
  absl::Status CreateDirectory(const std::string& path) override {
    return fs_.CreateDirectory(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return fs_.Rename(from, to);
  }
  absl::Status RemoveFile(const std::string& path) override { return fs_.RemoveFile(path); }
  absl::Status RemoveDirectory(const std::string& path) override {
    return fs_.RemoveDirectory(path);
  }
  absl::Status SyncDirectory(const std::string& path) override { return fs_.SyncDirectory(path); }
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 std::string_view holder) override {
    return fs_.Lock(path, holder);
  }
  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    return fs_.ReadFile(path);
  }
  absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                        uint64_t size_bytes) override {
    return fs_.ReadRange(path, offset, size_bytes);
  }
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override { return fs_.FileSize(path); }
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override {
    return fs_.ListDirectory(path);
  }
  absl::StatusOr<bool> IsDirectory(const std::string& path) override {
    return fs_.IsDirectory(path);
  }

 private:
  FaultFileSystem fs_;
};

TEST(CheckpointStoreOnABadDiskTest, AFileThatReadsBackDifferentlyIsNotTaken) {
  LyingFileSystem fs;
  ASSERT_TRUE(fs.CreateDirectory("/c").ok());
  CheckpointStore store(fs, "/c");
  const absl::Status status = store.Write(1, std::string(3 << 20, 'x'));
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("reads back differently"));
  EXPECT_THAT(*store.List(), IsEmpty());
  EXPECT_THAT(*fs.ListDirectory("/c"), IsEmpty());
}

// Generations 1 and 2 are there; 2 is replaced, 3 is written, 1 is pruned.
absl::Status Script(CheckpointStore& store) {
  absl::Status status = store.Write(2, "second, new");
  if (status.ok()) status = store.Write(3, "third");
  if (status.ok()) status = store.Prune(2, {});
  return status;
}

TEST(CheckpointStoreCrashTest, ACrashAtAnyCallLeavesTheOldOrTheNewGeneration) {
  uint64_t states = 0;
  for (const CrashKind kind : {CrashKind::kPowerLoss, CrashKind::kKill}) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      bool crashed = true;
      for (uint64_t k = 1; crashed; ++k, ++states) {
        FaultFileSystem fs;
        ASSERT_TRUE(fs.CreateDirectory("/c").ok());
        ASSERT_TRUE(fs.SyncDirectory("/").ok());
        CheckpointStore store(fs, "/c");
        ASSERT_TRUE(store.Write(1, "first").ok());
        ASSERT_TRUE(store.Write(2, "second").ok());
        fs.CrashAtCall(fs.mutating_calls() + k, kind);
        crashed = !Script(store).ok();
        ASSERT_EQ(crashed, fs.crashed());
        fs.Reboot(seed);
        ASSERT_TRUE(store.RemoveLeftovers().ok());
        // What was found after the restart stays, even if power fails now.
        const std::map<std::string, std::string> found = fs.Files();
        fs.Reboot(seed + 1);
        ASSERT_EQ(fs.Files(), found);
        for (const auto& [path, bytes] : found) {
          const bool whole = (path == "/c/1.safetensors" && bytes == "first") ||
                             (path == "/c/2.safetensors" && bytes == "second") ||
                             (path == "/c/2.safetensors" && bytes == "second, new") ||
                             (path == "/c/3.safetensors" && bytes == "third");
          ASSERT_TRUE(whole) << path << " holds \"" << bytes << "\"";
        }
        ASSERT_TRUE(found.count("/c/2.safetensors")) << "k " << k << " seed " << seed;
        if (!found.count("/c/1.safetensors")) {
          ASSERT_TRUE(found.count("/c/3.safetensors")) << "pruned before the new one was durable";
        }
        ASSERT_TRUE(crashed || found.size() == 2);
      }
    }
  }
  EXPECT_GT(states, 20 * kSeeds);
}

TEST(CheckpointStoreCrashTest, AFailureAtAnyCallLeavesTheOldOrTheNewGeneration) {
  for (const absl::Status& error :
       {absl::ResourceExhaustedError("ENOSPC"), absl::DataLossError("EIO")}) {
    for (const bool sticky : {false, true}) {
      for (uint64_t k = 1; k <= 20; ++k) {
        FaultFileSystem fs;
        ASSERT_TRUE(fs.CreateDirectory("/c").ok());
        CheckpointStore store(fs, "/c");
        ASSERT_TRUE(store.Write(2, "second").ok());
        fs.FailCall(fs.mutating_calls() + k, error, sticky, true);
        const absl::Status status = Script(store);
        fs.ClearFaults();
        ASSERT_TRUE(status.ok() || status.code() == error.code()) << status;
        const std::string bytes = *store.Read(2);
        ASSERT_TRUE(bytes == "second" || bytes == "second, new") << bytes;
        ASSERT_TRUE(store.Write(4, "fourth").ok()) << "usable again";
        ASSERT_TRUE(store.RemoveLeftovers().ok());
        for (const auto& [path, content] : fs.Files()) {
          ASSERT_THAT(path, Not(HasSubstr(".new")));
        }
      }
    }
  }
}

}  // namespace
}  // namespace tally::storage
