// <state_dir>/models/<name>/{LOCK, journal/, checkpoints/}: made, found and removed atomically.

#ifndef TALLY_DAEMON_STORAGE_MODEL_DIRECTORY_H_
#define TALLY_DAEMON_STORAGE_MODEL_DIRECTORY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {

std::string ModelPath(std::string_view state_dir, std::string_view name);
std::string JournalPath(std::string_view state_dir, std::string_view name);
std::string CheckpointsPath(std::string_view state_dir, std::string_view name);

// Makes <state_dir>/models if needed and removes what interrupted Create and Delete calls left behind
// (.new-* and .trash-*). Returns the names of the models, sorted.
absl::StatusOr<std::vector<std::string>> OpenStateDirectory(FileSystem& fs,
                                                            const std::string& state_dir);

// Builds models/.new-NAME with a generation at position 0 holding `checkpoint`, syncs it, renames it to
// models/NAME and syncs the parent. ALREADY_EXISTS if the name is taken.
absl::Status CreateModelDirectory(FileSystem& fs, const std::string& state_dir,
                                  const std::string& name, std::string_view checkpoint);

// Renames to models/.trash-NAME, syncs the parent, then removes the tree.
absl::Status RemoveModelDirectory(FileSystem& fs, const std::string& state_dir,
                                  const std::string& name);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_MODEL_DIRECTORY_H_
