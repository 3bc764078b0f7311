// The ordered journal of one model's inputs: segments of checksummed, chained records.
//
// Writer side: Append puts a record into the kernel's hands (survives kill -9), Sync puts everything
// appended before it on stable storage. Reader side: Scan walks the records of a directory, verifying
// each. See FORMAT.md for every byte and for what a reader does with every kind of damage.

#ifndef TALLY_DAEMON_STORAGE_JOURNAL_H_
#define TALLY_DAEMON_STORAGE_JOURNAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/record.h"

namespace tally::storage {

struct JournalOptions {
  // A segment is closed when it has reached this size, or a quarter of journal_bytes_max.
  uint64_t segment_bytes = 16u << 20;
  uint64_t journal_bytes_max = 1u << 30;  // all segments together; beyond: RESOURCE_EXHAUSTED
};

// What a scan found.
struct JournalTail {
  uint64_t next_position = 1;  // after the last whole record
  std::string segment;         // path of the segment that is to be continued, "" if there is none
  uint64_t valid_bytes = 0;    // of that segment; what lies behind is a torn tail
  uint64_t torn_bytes = 0;     // behind it, in that segment and in unsynced ones that follow it
  uint64_t chain = 0;          // checksum of the last record, which the next one continues
};

// Calls `visit` for every record with first_position + count - 1 >= from_position, in order. A record may
// begin before from_position. Stops at the first error of `visit` and returns it. Segments that lie wholly
// before from_position are not read; 0 verifies everything. Whether the journal still reaches back to
// from_position is the caller's to see from the first record.
//
// A journal that ends inside a record, or whose last record fails its checksum with nothing valid behind
// it, has a torn tail: reported, not an error. Damage anywhere else is DATA_LOSS naming file, offset and remedy.
// A missing segment between two others, or positions that do not follow each other, are DATA_LOSS too.
// A newer format version is FAILED_PRECONDITION.
absl::StatusOr<JournalTail> ScanJournal(FileSystem& fs, const std::string& directory,
                                        uint64_t from_position,
                                        const std::function<absl::Status(Record)>& visit);

// Thread rules: Append, Prune and Close under the owner's lock; Sync by one thread at a time beside them.
class Journal {
 public:
  // Opens for appending after `tail` (from ScanJournal): cuts a torn tail, makes everything that was found
  // durable, and continues the chain. `first_position` matters only for an empty directory: the position the journal begins at.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(FileSystem& fs, const std::string& directory,
                                                       const JournalTail& tail,
                                                       uint64_t first_position,
                                                       const JournalOptions& options);
  virtual ~Journal() = default;

  // Writes one record at next_position() and advances it. RESOURCE_EXHAUSTED (disk full or journal at its limit):
  // nothing was kept, the journal stays usable. DATA_LOSS: the store must not be used any more.
  virtual absl::Status Append(const RecordBody& body) = 0;

  // Makes every record appended before the call durable, new segments and their directory entries
  // included. Any error is final: acknowledge nothing more.
  virtual absl::Status Sync() = 0;

  // Deletes closed segments whose records all have positions <= through_position.
  virtual absl::Status Prune(uint64_t through_position) = 0;

  virtual uint64_t next_position() const = 0;
  // First position of the segment that holds the last record appended.
  virtual uint64_t segment_position() const = 0;
  virtual uint64_t size_bytes() const = 0;      // all segments
  virtual uint64_t oldest_position() const = 0; // first position still in the journal
};

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_JOURNAL_H_
