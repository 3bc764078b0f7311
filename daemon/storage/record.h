// The journal's records as values. Their bytes are specified in FORMAT.md and made in
// record_codec.h.

#ifndef TALLY_DAEMON_STORAGE_RECORD_H_
#define TALLY_DAEMON_STORAGE_RECORD_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace tally::storage {

// `labels.size()` consecutive samples of one source; each takes one position.
struct SamplesRecord {
  std::string source;
  uint64_t first_sequence = 1;
  std::string rows;  // labels.size() rows, raw
  std::vector<uint32_t> labels;
};

// Closes the open partial mini-batch. One position.
struct FlushRecord {};

// The trainer's state digest after `step` mini-batches; verified by replay. One position.
struct DigestRecord {
  uint64_t step = 0;
  std::string state_digest;  // 64 hex digits
};

// The state became that of the generation `target_position` with this file digest; the open partial
// mini-batch was dropped. One position.
struct RollbackRecord {
  uint64_t target_position = 0;
  std::string file_digest;  // 64 hex digits
};

// Numbers on disk and in the audit chain: never changed, never used again.
enum class RecordType : uint8_t {
  kSamples = 1,
  kFlush = 2,
  kDigest = 3,
  kRollback = 4,
  kForget = 5,       // kept free
  kCalibration = 6,  // kept free
};

using RecordBody = std::variant<SamplesRecord, FlushRecord, DigestRecord, RollbackRecord>;

struct Record {
  uint64_t first_position = 0;  // counted from 1, never reused
  RecordBody body;
  uint64_t segment = 0;  // first position of the journal's segment that holds it; 0: in none
};

// Positions a record takes: its samples, or 1.
uint64_t PositionCount(const RecordBody& body);

RecordType TypeOf(const RecordBody& body);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_RECORD_H_
