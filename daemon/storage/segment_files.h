// The names of a journal's segments.
//
// <first position, 20 digits>.journal            everything in the segments before it is on stable
// storage <first position, 20 digits>.journal.unsynced   not known to be: a power loss may have
// torn a segment
//                                                before it, and then it is part of the torn tail

#ifndef TALLY_DAEMON_STORAGE_SEGMENT_FILES_H_
#define TALLY_DAEMON_STORAGE_SEGMENT_FILES_H_

#include <cstdint>
#include <string>
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

// By rising first position; foreign names are ignored.
absl::StatusOr<std::vector<SegmentFile>> ListSegments(FileSystem& fs, const std::string& directory);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_SEGMENT_FILES_H_
