// A disk in memory that crashes, fails or fills up at a chosen call, and forgets what was not
// synced.
//
// Mutating calls (every call of FileSystem that is not in its reading part, Lock included, and
// Append, Truncate and Sync of its files) are counted from 1. A test runs a script once without
// faults to learn how many there are, then once for each k:
//
//   FaultFileSystem fs;
//   fs.CrashAtCall(k);
//   RunScript(fs);        // sees DATA_LOSS from the k-th call on
//   fs.Reboot(seed);      // what survived; files of before are dead, locks are free, faults are
//   cleared CheckRecovery(fs);
//
// What survives a power loss: of each file what was synced, and of the bytes behind it none, all, a
// part cut at any byte or at a multiple of 512 or 4096, or a part with zeros behind it (the size
// reached the disk before the content); of each directory the entries as of its last sync, and of
// the creations, renames and removals since then none, all, the first few, or any of them. The seed
// chooses. A Truncate that was not synced may be undone. A file's bytes always survive as a prefix:
// holes before surviving bytes, which no journalling file system shows in its ordered mode, are not
// modelled.
//
// What survives kill -9: everything that was written. Of the call in flight, either crash keeps
// none or all, or some of the bytes of an Append.

#ifndef TALLY_TESTS_SUPPORT_FAULT_FILE_SYSTEM_H_
#define TALLY_TESTS_SUPPORT_FAULT_FILE_SYSTEM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {

class FaultDisk;  // the tree of files and directories, and what of it is durable

enum class CrashKind : uint8_t { kPowerLoss, kKill };

// Thread-safe.
class FaultFileSystem : public FileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;

  // The k-th mutating call and every call behind it, reading ones included, fail with DATA_LOSS. k
  // = 0: never.
  void CrashAtCall(uint64_t k, CrashKind kind = CrashKind::kPowerLoss);

  // Crashes at once.
  void CrashNow(CrashKind kind = CrashKind::kPowerLoss);

  // The k-th mutating call, and if `sticky` every one behind it, fails with `status` and does
  // nothing, but an Append writes the first half of its bytes if `partial_write`.
  // RESOURCE_EXHAUSTED hits only calls that need space (CreateExclusive, CreateDirectory, Append);
  // others pass. A failed Sync makes nothing durable. k = 0: never.
  void FailCall(uint64_t k, absl::Status status, bool sticky = false, bool partial_write = false);
  void ClearFaults();

  // Since construction or the last Reboot.
  uint64_t mutating_calls() const;
  bool crashed() const;

  // The machine starts again with what survived, crashing first (power loss) if it has not crashed
  // yet.
  void Reboot(uint64_t seed);

  // Direct access for tests; neither counted nor failed. WriteRaw makes a durable file in an
  // existing directory, or replaces the content of one.
  void WriteRaw(const std::string& path, std::string_view bytes);
  // Path to content of every file, as a reader sees them now.
  std::map<std::string, std::string> Files() const;

  absl::StatusOr<std::unique_ptr<WritableFile>> CreateExclusive(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForAppend(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveDirectory(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path,
                                                 std::string_view holder) override;
  absl::StatusOr<std::string> ReadFile(const std::string& path) override;
  absl::StatusOr<std::string> ReadRange(const std::string& path, uint64_t offset,
                                        uint64_t size_bytes) override;
  absl::StatusOr<uint64_t> FileSize(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> ListDirectory(const std::string& path) override;
  absl::StatusOr<bool> IsDirectory(const std::string& path) override;

 private:
  class File;
  class HeldLock;
  struct Fault {
    uint64_t call = 0;
    absl::Status status;
    bool sticky = false;
    bool partial_write = false;
  };

  // Runs `change` on the disk as the next mutating call, unless a crash or a fault comes first.
  // `partial`, if any, is what the call leaves behind when only half of it happens.
  absl::Status Mutate(bool needs_space, std::function<absl::Status()> change,
                      std::function<absl::Status()> partial = nullptr);
  absl::Status CheckAlive() const;

  mutable std::mutex mutex_;  // guards everything below
  std::unique_ptr<FaultDisk> disk_;
  uint64_t epoch_ = 0;  // counts reboots, so that files and locks of before are recognised as dead
  uint64_t calls_ = 0;
  uint64_t crash_call_ = 0;
  CrashKind crash_kind_ = CrashKind::kPowerLoss;
  bool crashed_ = false;
  std::function<absl::Status()> in_flight_;
  std::function<absl::Status()> in_flight_partial_;
  Fault fault_;
};

}  // namespace tally::storage

#endif  // TALLY_TESTS_SUPPORT_FAULT_FILE_SYSTEM_H_
