// Every touch of the disk goes through this seam, so that tests can crash, fail or fill it at any
// call.

#ifndef TALLY_DAEMON_STORAGE_FILE_SYSTEM_H_
#define TALLY_DAEMON_STORAGE_FILE_SYSTEM_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tally::storage {

// Error codes, the same for every method below:
//   NOT_FOUND            the path does not exist
//   ALREADY_EXISTS       exclusive creation of an existing path
//   RESOURCE_EXHAUSTED   no space or quota left (ENOSPC, EDQUOT)
//   PERMISSION_DENIED    EACCES, EPERM, EROFS
//   DATA_LOSS            EIO and every failed sync: the store must not be used any more
//   UNKNOWN              anything else
// Messages name call, path and errno text.

// An append-only file. One thread at a time, except Sync, which may run beside Append and then
// covers at least what was appended before it began. Closes on destruction.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  // Writes all of `bytes` at the end. After an error the file may hold a part of them: Truncate.
  virtual absl::Status Append(std::string_view bytes) = 0;
  // The same for bytes that lie in pieces: one write, as far as the file system can.
  virtual absl::Status AppendPieces(std::span<const std::string_view> pieces);
  // Cuts the file to `size_bytes`; later appends continue there.
  virtual absl::Status Truncate(uint64_t size_bytes) = 0;
  // Content and size are on stable storage when it returns OK.
  virtual absl::Status Sync() = 0;
  virtual uint64_t size_bytes() const = 0;
};

// Releases its lock on destruction.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Mutating calls.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> CreateExclusive(
      const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) = 0;
  virtual absl::Status CreateDirectory(const std::string& path) = 0;  // OK if it is there already
  virtual absl::Status Rename(const std::string& from,
                              const std::string& to) = 0;  // replaces files
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  virtual absl::Status RemoveDirectory(const std::string& path) = 0;  // must be empty
  virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // Takes an exclusive advisory lock, creating the file; writes `holder` into it. UNAVAILABLE with
  // the holder's text if somebody else has it.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                         std::string_view holder) = 0;

  // Reading calls.
  virtual absl::StatusOr<std::string> ReadFile(const std::string& path) = 0;
  // Up to `size_bytes` bytes from `offset`; fewer at the end of the file.
  virtual absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                                uint64_t size_bytes) = 0;
  virtual absl::StatusOr<uint64_t> FileSize(const std::string& path) = 0;
  // Names (not paths) of all entries but "." and "..", sorted.
  virtual absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) = 0;
  virtual absl::StatusOr<bool> IsDirectory(const std::string& path) = 0;  // NOT_FOUND if absent
};

// The kernel's file system.
FileSystem& PosixFileSystem();

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_FILE_SYSTEM_H_
