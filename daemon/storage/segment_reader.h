// One segment, read front to back through a window, so that a scan never holds more than a record.

#ifndef TALLY_DAEMON_STORAGE_SEGMENT_READER_H_
#define TALLY_DAEMON_STORAGE_SEGMENT_READER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/record_codec.h"

namespace tally::storage {

// What stands at an offset of a segment.
struct Found {
  enum class What : uint8_t {
    kRecord,   // a whole record that continues the chain
    kEnd,      // the end of the file
    kTorn,     // a broken record with nothing valid behind it
    kDamaged,  // a broken record with something valid behind it, or one that belongs elsewhere
  };
  What what = What::kEnd;
  RecordHeader header;      // of kRecord
  std::string_view record;  // of kRecord; valid until the next call
  std::string reason;       // of kTorn and kDamaged
};

class SegmentReader {
 public:
  SegmentReader(FileSystem& fs, std::string path, uint64_t size_bytes);

  absl::StatusOr<SegmentHeader> ReadHeader();

  // Looks at `offset`, where a record at `position` that continues `chain` is expected.
  absl::StatusOr<Found> Next(uint64_t offset, uint64_t position, uint64_t chain);

  const std::string& path() const { return path_; }
  uint64_t size_bytes() const { return size_bytes_; }

 private:
  // The bytes [offset, offset + count), or fewer at the end of the file.
  absl::StatusOr<std::string_view> View(uint64_t offset, uint64_t count);

  // Judges a broken record: torn, or damaged because a record header stands at or behind `offset`.
  absl::StatusOr<Found> Broken(uint64_t offset, uint64_t position, std::string reason);

  FileSystem& fs_;
  const std::string path_;
  const uint64_t size_bytes_;
  std::string window_;
  uint64_t window_offset_ = 0;
};

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_SEGMENT_READER_H_
