// Files that are there as a whole or not at all, and files that turned out damaged.

#ifndef TALLY_DAEMON_STORAGE_WHOLE_FILE_H_
#define TALLY_DAEMON_STORAGE_WHOLE_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {

// What WriteWholeFile adds to the path of a file that is not finished.
inline constexpr std::string_view kUnfinishedSuffix = ".new";

// Temporary name, write, sync, read back and compare, rename. Replaces a file of that name. The
// name is durable once the directory is synced, which is the caller's to do: one sync may serve
// several.
absl::Status WriteWholeFile(FileSystem& fs, const std::string& path, std::string_view bytes);

// Renames to <path>.damaged, or .damaged.2 and so on: never deletes it, since it may be all that is
// left of something. The caller syncs the directory.
absl::Status SetFileAside(FileSystem& fs, const std::string& path);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_WHOLE_FILE_H_
