// A file system in memory without promises: what storage costs when the disk is free.

#ifndef TALLY_TESTS_BENCH_MEMORY_FILE_SYSTEM_H_
#define TALLY_TESTS_BENCH_MEMORY_FILE_SYSTEM_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/storage/file_system.h"
#include "tests/support/fault_disk.h"

namespace tally::bench {

// Thread-safe. Syncs do nothing. Writes go to a string a file, nothing more.
class MemoryFileSystem final : public storage::FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<storage::WritableFile>> CreateExclusive(
      const std::string& path) override;
  absl::StatusOr<std::unique_ptr<storage::WritableFile>> OpenForAppend(
      const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<storage::FileLock>> Lock(const std::string& path,
                                                          std::string_view holder) override;
  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                        uint64_t size_bytes) override;
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override;

 private:
  class File;

  std::mutex mutex_;  // the tree and the contents
  storage::FaultDisk disk_;
};

}  // namespace tally::bench

#endif  // TALLY_TESTS_BENCH_MEMORY_FILE_SYSTEM_H_
