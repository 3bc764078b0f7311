// The kept generations of one model: checkpoints/<position>.safetensors, written atomically.

#ifndef TALLY_DAEMON_STORAGE_CHECKPOINT_STORE_H_
#define TALLY_DAEMON_STORAGE_CHECKPOINT_STORE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {

// One thread at a time.
class CheckpointStore {
 public:
  CheckpointStore(FileSystem& fs, std::string directory);

  // Removes temporary files of an interrupted Write and makes the names that are there durable. Call once
  // at start.
  absl::Status RemoveLeftovers();

  // Temporary name, write, sync, read back and compare, rename, sync of the directory. Replaces a
  // generation of the same position.
  absl::Status Write(uint64_t position, std::string_view bytes);

  // Positions of the kept generations, rising. Foreign file names are ignored.
  absl::StatusOr<std::vector<uint64_t>> List();

  absl::StatusOr<std::string> Read(uint64_t position);

  // Renames a damaged generation to <position>.safetensors.damaged (never deletes it) and syncs.
  absl::Status SetAside(uint64_t position);

  // Deletes the oldest generations beyond `keep` (at least 1), never one in `pinned`.
  absl::Status Prune(size_t keep, const std::vector<uint64_t>& pinned);

  std::string PathOf(uint64_t position) const;

 private:
  FileSystem& fs_;
  const std::string directory_;
};

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_CHECKPOINT_STORE_H_
