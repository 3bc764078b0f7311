// The proof of which samples made a model: a SHA-256 chain over the positions of its journal.
//
//   head(p) = SHA-256(head(p - 1) | position | type | the fields of position p)     see FORMAT.md
//
// The trainer carries the head along; every checkpoint stores it, and so does a small file beside
// every closed segment (segment_end_store.h). Whoever has the samples can compute it again. It
// depends on positions, not on how they were cut into packets, and is never on the way of an
// acknowledgement.

#ifndef TALLY_DAEMON_STORAGE_AUDIT_CHAIN_H_
#define TALLY_DAEMON_STORAGE_AUDIT_CHAIN_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/checkpoint/digest.h"
#include "daemon/storage/record.h"

namespace tally::storage {

// The head before the first position: 64 zeros.
std::string GenesisChainHead();

// Carries a head along. Heads are given and told as 64 hex digits.
class AuditChain {
 public:
  explicit AuditChain(std::string_view head);

  // Passes the positions of `record` that lie in [from_position, through_position]. The limits
  // serve a trainer or a replay that begins or ends inside a record. Does not allocate for SAMPLES.
  void Pass(const Record& record, uint64_t from_position = 0,
            uint64_t through_position = UINT64_MAX);

  std::string head() const;

 private:
  void PassSamples(const SamplesRecord& samples, uint64_t first_position, uint64_t from,
                   uint64_t through);
  void PassNumberAndDigest(uint64_t position, RecordType type, uint64_t number,
                           std::string_view hex);
  void Begin(uint64_t position, RecordType type);

  std::array<char, kDigestBytes> head_;
  Sha256 link_;
};

// The head behind `head` after those positions of `record`: for whoever looks at few of them.
std::string NextChainHead(std::string_view head, const Record& record, uint64_t from_position = 0,
                          uint64_t through_position = UINT64_MAX);

// The head at the end of a closed segment.
struct SegmentEnd {
  uint64_t first_position = 0;  // of the segment, as in its name
  uint64_t last_position = 0;
  std::string chain_head;  // after last_position

  bool operator==(const SegmentEnd&) const = default;
};

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_AUDIT_CHAIN_H_
