// The names of a journal's files. Each begins with a segment's first position, 20 digits.
//
//   .journal            a segment: everything in the segments before it is on stable storage
//   .journal.unsynced   not known to be: a power loss may have torn a segment before it, and then
//                       it is part of the torn tail
//   .audit              the audit chain's head at the end of that segment

#ifndef TALLY_DAEMON_STORAGE_SEGMENT_FILES_H_
#define TALLY_DAEMON_STORAGE_SEGMENT_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {

struct SegmentFile {
  uint64_t first_position = 0;
  bool unsynced = false;
  std::string path;
};

std::string SegmentPath(const std::string& directory, uint64_t first_position);
std::string UnsyncedSegmentPath(const std::string& directory, uint64_t first_position);
std::string SegmentEndPath(const std::string& directory, uint64_t first_position);

// The first position in the name of a SegmentEndPath, finished or not; nothing in other names.
std::optional<uint64_t> SegmentOfEndName(std::string_view name);

// By rising first position; foreign names are ignored.
absl::StatusOr<std::vector<SegmentFile>> ListSegments(FileSystem& fs, const std::string& directory);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_SEGMENT_FILES_H_
