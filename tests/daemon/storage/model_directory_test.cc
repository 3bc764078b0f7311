// Goal: a model is there as a whole or not at all, whatever interrupts its creation and removal.
// Method: every call on a disk in memory and on the kernel's, then a crash at every file-system
// call.

#include "daemon/storage/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/fault_file_system.h"
#include "tests/support/temporary_folder.h"

namespace tally::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kSeeds = 20;
constexpr char kGeneration[] = "/state/models/door/checkpoints/0.safetensors";

TEST(ModelDirectoryTest, PathsAreAsTheFormatSays) {
  EXPECT_EQ(ModelPath("/state", "door"), "/state/models/door");
  EXPECT_EQ(JournalPath("/state", "door"), "/state/models/door/journal");
  EXPECT_EQ(CheckpointsPath("/state", "door"), "/state/models/door/checkpoints");
}

TEST(ModelDirectoryTest, AModelIsMadeFoundAndRemoved) {
  FaultFileSystem fs;
  EXPECT_THAT(*OpenStateDirectory(fs, "/state"), IsEmpty());
  ASSERT_TRUE(CreateModelDirectory(fs, "/state", "door", "checkpoint").ok());
  ASSERT_TRUE(CreateModelDirectory(fs, "/state", "attic", "other").ok());
  EXPECT_EQ(*fs.ReadFile(kGeneration), "checkpoint");
  EXPECT_THAT(*fs.ListDirectory("/state/models/door/journal"), IsEmpty());
  EXPECT_THAT(*OpenStateDirectory(fs, "/state"), ElementsAre("attic", "door"));
  ASSERT_TRUE(RemoveModelDirectory(fs, "/state", "door").ok());
  EXPECT_THAT(*OpenStateDirectory(fs, "/state"), ElementsAre("attic"));
  EXPECT_THAT(*fs.ListDirectory("/state/models"), ElementsAre("attic"));
}

TEST(ModelDirectoryTest, ATakenNameIsRefusedAndTheModelKept) {
  FaultFileSystem fs;
  ASSERT_TRUE(OpenStateDirectory(fs, "/state").ok());
  ASSERT_TRUE(CreateModelDirectory(fs, "/state", "door", "first").ok());
  const absl::Status status = CreateModelDirectory(fs, "/state", "door", "second");
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("door"));
  EXPECT_EQ(*fs.ReadFile(kGeneration), "first");
}

TEST(ModelDirectoryTest, RemovingAnUnknownModelIsNotFound) {
  FaultFileSystem fs;
  ASSERT_TRUE(OpenStateDirectory(fs, "/state").ok());
  EXPECT_TRUE(absl::IsNotFound(RemoveModelDirectory(fs, "/state", "door")));
}

TEST(ModelDirectoryTest, EntriesThatAreNoModelsAreLeftAlone) {
  FaultFileSystem fs;
  ASSERT_TRUE(OpenStateDirectory(fs, "/state").ok());
  for (const char* name : {"lost+found", "Door", "_x", "-x"}) {
    ASSERT_TRUE(fs.CreateDirectory(std::string("/state/models/") + name).ok());
  }
  fs.WriteRaw("/state/models/file", "x");
  ASSERT_TRUE(fs.CreateDirectory("/state/models/" + std::string(64, 'a')).ok());
  ASSERT_TRUE(fs.CreateDirectory("/state/models/a.b_c-9").ok());
  EXPECT_THAT(*OpenStateDirectory(fs, "/state"), ElementsAre("a.b_c-9"));
  EXPECT_THAT(*fs.ListDirectory("/state/models"), testing::SizeIs(7));
}

TEST(ModelDirectoryTest, RemovalDoesNotFollowSymbolicLinks) {
  const TemporaryFolder folder;
  const std::string& root = folder.path();
  FileSystem& fs = PosixFileSystem();
  ASSERT_TRUE(OpenStateDirectory(fs, root + "/state").ok());
  ASSERT_TRUE(CreateModelDirectory(fs, root + "/state", "door", "checkpoint").ok());
  ASSERT_TRUE(fs.CreateDirectory(root + "/precious").ok());
  std::ofstream(root + "/precious/data") << "keep";
  std::filesystem::create_directory_symlink(root + "/precious", root + "/state/models/door/link");
  ASSERT_TRUE(RemoveModelDirectory(fs, root + "/state", "door").ok());
  EXPECT_THAT(*fs.ListDirectory(root + "/state/models"), IsEmpty());
  EXPECT_EQ(*fs.ReadFile(root + "/precious/data"), "keep");
}

// Runs `script` on a state directory that holds the model "attic", crashing at every call in turn,
// and hands the names found afterwards to `check`.
void CrashEverywhere(const std::function<absl::Status(FaultFileSystem&)>& script,
                     const std::function<void(bool done, FaultFileSystem&,
                                              const std::vector<std::string>& names)>& check) {
  for (const CrashKind kind : {CrashKind::kPowerLoss, CrashKind::kKill}) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      bool done = false;
      for (uint64_t k = 1; !done; ++k) {
        SCOPED_TRACE(testing::Message() << "kind " << int(kind) << " seed " << seed << " k " << k);
        FaultFileSystem fs;
        ASSERT_TRUE(OpenStateDirectory(fs, "/state").ok());
        ASSERT_TRUE(CreateModelDirectory(fs, "/state", "attic", "kept").ok());
        fs.CrashAtCall(fs.mutating_calls() + k, kind);
        done = script(fs).ok();
        ASSERT_NE(done, fs.crashed());
        fs.Reboot(seed);
        const auto names = OpenStateDirectory(fs, "/state");
        ASSERT_TRUE(names.ok()) << names.status();
        ASSERT_EQ(*fs.ListDirectory("/state/models"), *names) << "leftovers are gone";
        ASSERT_EQ(*fs.ReadFile("/state/models/attic/checkpoints/0.safetensors"), "kept");
        check(done, fs, *names);
        // What this start has found is what the next one finds.
        fs.Reboot(seed + 1);
        ASSERT_EQ(*OpenStateDirectory(fs, "/state"), *names);
        if (testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST(ModelDirectoryCrashTest, ACrashAtAnyCallOfCreateLeavesAWholeModelOrNone) {
  CrashEverywhere(
      [](FaultFileSystem& fs) { return CreateModelDirectory(fs, "/state", "door", "checkpoint"); },
      [](bool done, FaultFileSystem& fs, const std::vector<std::string>& names) {
        if (names.size() == 1) {
          ASSERT_FALSE(done) << "an answered creation is durable";
          ASSERT_TRUE(CreateModelDirectory(fs, "/state", "door", "again").ok());
          ASSERT_TRUE(RemoveModelDirectory(fs, "/state", "door").ok());
          return;
        }
        ASSERT_THAT(names, ElementsAre("attic", "door"));
        ASSERT_EQ(*fs.ReadFile(kGeneration), "checkpoint");
        ASSERT_THAT(*fs.ListDirectory("/state/models/door"), ElementsAre("checkpoints", "journal"));
      });
}

TEST(ModelDirectoryCrashTest, ACrashAtAnyCallOfRemoveLeavesAWholeModelOrNone) {
  CrashEverywhere(
      [](FaultFileSystem& fs) -> absl::Status {
        absl::Status status = CreateModelDirectory(fs, "/state", "door", "checkpoint");
        return status.ok() ? RemoveModelDirectory(fs, "/state", "door") : status;
      },
      [](bool done, FaultFileSystem& fs, const std::vector<std::string>& names) {
        if (names.size() == 1) return;
        ASSERT_FALSE(done) << "an answered removal is durable";
        ASSERT_EQ(*fs.ReadFile(kGeneration), "checkpoint");
      });
}

TEST(ModelDirectoryCrashTest, ACrashAtAnyCallOfTheFirstStartIsHarmless) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (uint64_t k = 1; k <= 6; ++k) {
      FaultFileSystem fs;
      fs.CrashAtCall(k);
      const bool done = OpenStateDirectory(fs, "/state").ok();
      fs.Reboot(seed);
      ASSERT_TRUE(!done || fs.IsDirectory("/state/models").ok());
      ASSERT_TRUE(OpenStateDirectory(fs, "/state").ok());
    }
  }
}

TEST(ModelDirectoryCrashTest, AFullDiskLeavesNoModelAndNoLeftovers) {
  for (uint64_t k = 1; k <= 12; ++k) {
    FaultFileSystem fs;
    ASSERT_TRUE(OpenStateDirectory(fs, "/state").ok());
    fs.FailCall(fs.mutating_calls() + k, absl::ResourceExhaustedError("ENOSPC"), true, true);
    const absl::Status status = CreateModelDirectory(fs, "/state", "door", "checkpoint");
    fs.ClearFaults();
    if (status.ok()) continue;
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_THAT(*fs.ListDirectory("/state/models"), IsEmpty());
    EXPECT_TRUE(CreateModelDirectory(fs, "/state", "door", "checkpoint").ok());
  }
}

}  // namespace
}  // namespace tally::storage
