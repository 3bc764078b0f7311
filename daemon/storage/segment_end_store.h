// The audit chain's head at the end of each closed segment: journal/<first position>.audit.
//
// Redundant by design: a replay of the segment gives the same head, so a file that is absent or
// damaged is made again, and one that is whole but says something else shows that the segment or
// the file is not what it was.

#ifndef TALLY_DAEMON_STORAGE_SEGMENT_END_STORE_H_
#define TALLY_DAEMON_STORAGE_SEGMENT_END_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/storage/audit_chain.h"
#include "daemon/storage/file_system.h"

namespace tally::storage {

// One thread at a time. Touches no segment, so it may work beside the Journal.
class SegmentEndStore {
 public:
  SegmentEndStore(FileSystem& fs, std::string journal_directory);

  // Stores each, whole or not at all; all are durable when it returns OK. Their segments must be
  // durable already, or a power loss could leave an end of samples that never came back. After an
  // error the same call may be repeated.
  absl::Status Write(const std::vector<SegmentEnd>& ends);

  enum class Found : uint8_t {
    kRight,
    kAbsent,
    kSetAside,  // it was damaged, and is now renamed to <path>.damaged
  };
  // Compares what is stored with `end`, which the segment itself gives. DATA_LOSS if it is whole
  // and says something else; FAILED_PRECONDITION if a newer version wrote it.
  absl::StatusOr<Found> Check(const SegmentEnd& end);

  // Removes the ends of segments that begin before `oldest_position`, which are gone, and what an
  // interrupted Write has left.
  absl::Status RemoveBefore(uint64_t oldest_position);

  std::string PathOf(uint64_t first_position) const;

 private:
  FileSystem& fs_;
  const std::string directory_;
};

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_SEGMENT_END_STORE_H_
