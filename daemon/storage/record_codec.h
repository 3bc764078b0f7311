// Records, segment headers and segment ends <-> bytes. FORMAT.md is the specification.

#ifndef TALLY_DAEMON_STORAGE_RECORD_CODEC_H_
#define TALLY_DAEMON_STORAGE_RECORD_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "daemon/storage/audit_chain.h"
#include "daemon/storage/record.h"

namespace tally::storage {

inline constexpr size_t kSegmentHeaderBytes = 40;
inline constexpr size_t kRecordHeaderBytes = 40;
inline constexpr size_t kRecordAlignment = 8;
inline constexpr size_t kPayloadBytesMax = size_t{1} << 30;

struct SegmentHeader {
  uint64_t first_position = 0;
  uint64_t chain = 0;  // checksum of the last record of the segment before; 0 if there is none
};

std::string EncodeSegmentHeader(const SegmentHeader& header);

// `bytes` are the first kSegmentHeaderBytes of a file, or all of a shorter one. DATA_LOSS if they
// are no header, FAILED_PRECONDITION if they are one of a newer format version.
absl::StatusOr<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

// All of a file beside a segment.
std::string EncodeSegmentEnd(const SegmentEnd& end);

// Errors as above. Whether it is the end of the segment that it lies beside is not looked at.
absl::StatusOr<SegmentEnd> DecodeSegmentEnd(std::string_view bytes);

struct RecordHeader {
  uint64_t checksum = 0;  // of everything behind itself, padding included
  uint64_t previous = 0;  // checksum of the record before
  uint64_t first_position = 0;
  uint32_t payload_bytes = 0;  // without padding
  uint32_t position_count = 0;
  uint8_t type = 0;
  uint8_t version = 0;

  // With header and padding.
  uint64_t record_bytes() const {
    return kRecordHeaderBytes +
           (uint64_t{payload_bytes} + kRecordAlignment - 1) / kRecordAlignment * kRecordAlignment;
  }
};

// A record's bytes in the order of pieces(). The rows, nearly all of them, stay where the body has
// them: it must outlive this. Keeps its memory when it is used again.
struct EncodedRecord {
  std::string head;       // header and payload up to the rows
  std::string_view rows;  // of SAMPLES
  std::string tail;       // what follows them, with padding

  std::array<std::string_view, 3> pieces() const { return {head, rows, tail}; }
  size_t size_bytes() const { return head.size() + rows.size() + tail.size(); }
};

// Replaces `out` and returns the record's checksum. Aborts on a body that breaks the rules of
// record.h: rows that are no whole number of equal rows, a digest that is not 64 hex digits.
uint64_t EncodeRecord(const RecordBody& body, uint64_t first_position, uint64_t previous,
                      EncodedRecord& out);

// Nothing unless `bytes` (at least kRecordHeaderBytes) begin with a header whose own check is
// right. That says nothing about the payload.
std::optional<RecordHeader> DecodeRecordHeader(std::string_view bytes);

// Whether `record`, all record_bytes() of it, has the checksum its header says.
bool ChecksumIsRight(std::string_view record);

// The body of a record whose checksum is right. FAILED_PRECONDITION if its type or version is newer
// than this program; DATA_LOSS if it breaks the format.
absl::StatusOr<RecordBody> DecodeBody(const RecordHeader& header, std::string_view record);

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_RECORD_CODEC_H_
