// Goal: the kernel's file system and the one the crash tests run on keep the same contract.
// Method: every promise of file_system.h as one test, run on both; real failures of the kernel
// apart.

#include "daemon/storage/file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <thread>

#include "daemon/storage/clock.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temporary_folder.h"

namespace tally::storage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

enum class Kind { kKernel, kMemory };

class FileSystemTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (GetParam() == Kind::kKernel) {
      root_ = folder_.path();
    } else {
      root_ = "/root";
      ASSERT_TRUE(memory_.CreateDirectory(root_).ok());
    }
  }

  FileSystem& fs() { return GetParam() == Kind::kKernel ? PosixFileSystem() : memory_; }
  std::string Path(const std::string& name) const { return root_ + "/" + name; }
  void Write(const std::string& name, std::string_view bytes) {
    auto file = fs().CreateExclusive(Path(name));
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE((*file)->Append(bytes).ok());
  }

  TemporaryFolder folder_;
  FaultFileSystem memory_;
  std::string root_;
};

TEST_P(FileSystemTest, AppendedBytesAreReadBackWholeAndInRanges) {
  auto file = fs().CreateExclusive(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->Append("hello ").ok());
  ASSERT_TRUE((*file)->Append("world").ok());
  EXPECT_TRUE((*file)->Sync().ok());
  EXPECT_EQ((*file)->size_bytes(), 11u);
  EXPECT_EQ(*fs().ReadFile(Path("a")), "hello world");
  EXPECT_EQ(*fs().ReadRange(Path("a"), 6, 3), "wor");
  EXPECT_EQ(*fs().ReadRange(Path("a"), 9, 100), "ld");
  EXPECT_EQ(*fs().ReadRange(Path("a"), 100, 1), "");
  EXPECT_EQ(*fs().FileSize(Path("a")), 11u);
}

TEST_P(FileSystemTest, PiecesAreAppendedInTheirOrder) {
  auto file = fs().CreateExclusive(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  const std::vector<std::string_view> few = {"", "one", "", " two", ""};
  ASSERT_TRUE((*file)->AppendPieces(few).ok());
  const std::vector<std::string_view> many(20, ".");
  ASSERT_TRUE((*file)->AppendPieces(many).ok());
  ASSERT_TRUE((*file)->AppendPieces({}).ok());
  EXPECT_EQ((*file)->size_bytes(), 27u);
  EXPECT_EQ(*fs().ReadFile(Path("a")), "one two....................");
}

TEST_P(FileSystemTest, AppendingContinuesAfterReopeningAndAfterTruncating) {
  Write("a", "0123456789");
  auto file = fs().OpenForAppend(Path("a"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->size_bytes(), 10u);
  ASSERT_TRUE((*file)->Append("x").ok());
  ASSERT_TRUE((*file)->Truncate(4).ok());
  EXPECT_EQ((*file)->size_bytes(), 4u);
  ASSERT_TRUE((*file)->Append("y").ok());
  EXPECT_EQ(*fs().ReadFile(Path("a")), "0123y");
}

TEST_P(FileSystemTest, MissingPathsAreNotFoundByEveryCall) {
  const std::string missing = Path("missing");
  EXPECT_TRUE(absl::IsNotFound(fs().OpenForAppend(missing).status()));
  EXPECT_TRUE(absl::IsNotFound(fs().ReadFile(missing).status()));
  EXPECT_TRUE(absl::IsNotFound(fs().ReadRange(missing, 0, 1).status()));
  EXPECT_TRUE(absl::IsNotFound(fs().FileSize(missing).status()));
  EXPECT_TRUE(absl::IsNotFound(fs().ListDirectory(missing).status()));
  EXPECT_TRUE(absl::IsNotFound(fs().IsDirectory(missing).status()));
  EXPECT_TRUE(absl::IsNotFound(fs().Rename(missing, Path("b"))));
  EXPECT_TRUE(absl::IsNotFound(fs().RemoveFile(missing)));
  EXPECT_TRUE(absl::IsNotFound(fs().RemoveDirectory(missing)));
  EXPECT_TRUE(absl::IsNotFound(fs().SyncDirectory(missing)));
  EXPECT_TRUE(absl::IsNotFound(fs().CreateExclusive(missing + "/a").status()));
}

TEST_P(FileSystemTest, ErrorsNameThePath) {
  EXPECT_THAT(std::string(fs().ReadFile(Path("missing")).status().message()),
              HasSubstr(Path("missing")));
}

TEST_P(FileSystemTest, ExclusiveCreationRefusesAnExistingFile) {
  Write("a", "kept");
  EXPECT_TRUE(absl::IsAlreadyExists(fs().CreateExclusive(Path("a")).status()));
  EXPECT_EQ(*fs().ReadFile(Path("a")), "kept");
}

TEST_P(FileSystemTest, DirectoriesAreMadeListedRenamedAndRemoved) {
  ASSERT_TRUE(fs().CreateDirectory(Path("d")).ok());
  EXPECT_TRUE(fs().CreateDirectory(Path("d")).ok()) << "making it again is no error";
  Write("d/b", "1");
  Write("d/a", "2");
  EXPECT_THAT(*fs().ListDirectory(Path("d")), ElementsAre("a", "b"));
  EXPECT_TRUE(*fs().IsDirectory(Path("d")));
  EXPECT_FALSE(*fs().IsDirectory(Path("d/a")));
  EXPECT_FALSE(fs().RemoveDirectory(Path("d")).ok()) << "it is not empty";
  ASSERT_TRUE(fs().Rename(Path("d"), Path("e")).ok());
  ASSERT_TRUE(fs().RemoveFile(Path("e/a")).ok());
  ASSERT_TRUE(fs().RemoveFile(Path("e/b")).ok());
  EXPECT_TRUE(fs().SyncDirectory(Path("e")).ok());
  ASSERT_TRUE(fs().RemoveDirectory(Path("e")).ok());
  EXPECT_THAT(*fs().ListDirectory(root_), ElementsAre());
}

TEST_P(FileSystemTest, MakingADirectoryOverAFileIsRefused) {
  Write("a", "x");
  EXPECT_TRUE(absl::IsAlreadyExists(fs().CreateDirectory(Path("a"))));
}

TEST_P(FileSystemTest, RemoveFileRefusesADirectory) {
  ASSERT_TRUE(fs().CreateDirectory(Path("d")).ok());
  EXPECT_FALSE(fs().RemoveFile(Path("d")).ok());
  EXPECT_TRUE(*fs().IsDirectory(Path("d")));
}

TEST_P(FileSystemTest, RenameReplacesAFile) {
  Write("a", "new");
  Write("b", "old");
  ASSERT_TRUE(fs().Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(*fs().ReadFile(Path("b")), "new");
  EXPECT_TRUE(absl::IsNotFound(fs().ReadFile(Path("a")).status()));
}

TEST_P(FileSystemTest, ASecondLockIsRefusedAndNamesTheHolder) {
  auto first = fs().Lock(Path("LOCK"), "pid 17");
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = fs().Lock(Path("LOCK"), "pid 18").status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  EXPECT_THAT(std::string(second.message()), HasSubstr("pid 17"));
  first->reset();
  EXPECT_TRUE(fs().Lock(Path("LOCK"), "pid 18").ok());
}

TEST_P(FileSystemTest, ALockLeavesNothingOfALongerHolderBefore) {
  ASSERT_TRUE(fs().Lock(Path("LOCK"), "pid 1234567").ok());
  ASSERT_TRUE(fs().Lock(Path("LOCK"), "pid 1").ok());
  EXPECT_EQ(*fs().ReadFile(Path("LOCK")), "pid 1");
}

TEST_P(FileSystemTest, SyncMayRunBesideAppend) {
  auto file = fs().CreateExclusive(Path("a"));
  ASSERT_TRUE(file.ok());
  std::atomic<bool> done = false;
  std::thread syncer([&] {
    while (!done) {
      ASSERT_TRUE((*file)->Sync().ok());
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 200; ++i) ASSERT_TRUE((*file)->Append("0123456789").ok());
  done = true;
  syncer.join();
  EXPECT_EQ(*fs().FileSize(Path("a")), 2000u);
}

INSTANTIATE_TEST_SUITE_P(Both, FileSystemTest, testing::Values(Kind::kKernel, Kind::kMemory),
                         [](const testing::TestParamInfo<Kind>& info) {
                           return info.param == Kind::kKernel ? "Kernel" : "Memory";
                         });

TEST(PosixFileSystemTest, AFullDeviceIsResourceExhausted) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  auto file = PosixFileSystem().OpenForAppend("/dev/full");
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::Status status = (*file)->Append("x");
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/full"));
}

TEST(PosixFileSystemTest, AFailedSyncIsDataLossWhateverTheErrno) {
  auto file = PosixFileSystem().OpenForAppend("/dev/null");  // character devices cannot be synced
  ASSERT_TRUE(file.ok()) << file.status();
  const absl::Status status = (*file)->Sync();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST(PosixFileSystemTest, AShortWriteIsContinuedAndItsErrorReported) {
  const TemporaryFolder folder;
  const std::string& directory = folder.path();
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit = {100, before.rlim_max};
  auto file = PosixFileSystem().CreateExclusive(directory + "/a");
  ASSERT_TRUE(file.ok());
  auto pieces_file = PosixFileSystem().CreateExclusive(directory + "/b");
  ASSERT_TRUE(pieces_file.ok());
  const std::string half(75, 'x');
  const std::vector<std::string_view> pieces = {half, half};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status = (*file)->Append(std::string(150, 'x'));
  const absl::Status pieces_status = (*pieces_file)->AppendPieces(pieces);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << status;
  EXPECT_EQ((*file)->size_bytes(), 100u) << "the kernel takes the first 100 bytes";
  EXPECT_EQ(pieces_status.code(), absl::StatusCode::kUnknown) << pieces_status;
  EXPECT_EQ((*pieces_file)->size_bytes(), 100u);
  ASSERT_TRUE((*file)->Truncate(10).ok());
  ASSERT_TRUE((*file)->Append("y").ok());
  EXPECT_EQ(*PosixFileSystem().ReadFile(directory + "/a"), "xxxxxxxxxxy");
}

TEST(PosixFileSystemTest, FilesAreNotReadableByOthers) {
  const TemporaryFolder folder;
  const std::string& directory = folder.path();
  ASSERT_TRUE(PosixFileSystem().CreateExclusive(directory + "/a").ok());
  ASSERT_TRUE(PosixFileSystem().CreateDirectory(directory + "/d").ok());
  const auto others = std::filesystem::perms::others_all;
  EXPECT_EQ(std::filesystem::status(directory + "/a").permissions() & others,
            std::filesystem::perms::none);
  EXPECT_EQ(std::filesystem::status(directory + "/d").permissions() & others,
            std::filesystem::perms::none);
}

TEST(SystemClockTest, SleepsAtLeastAsLongAsAskedAndNeverGoesBack) {
  const int64_t before = SystemClock().MonotonicNs();
  SystemClock().SleepMs(3);
  EXPECT_GE(SystemClock().MonotonicNs() - before, 3'000'000);
}

}  // namespace
}  // namespace tally::storage
