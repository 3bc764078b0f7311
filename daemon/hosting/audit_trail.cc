#include "daemon/hosting/audit_trail.h"

#include <utility>

namespace tally::hosting {

AuditTrail::AuditTrail(std::string head, uint64_t segment)
    : head_(std::move(head)), segment_(segment) {}

void AuditTrail::Pass(const storage::Record& record, uint64_t from_position,
                      uint64_t through_position) {
  if (record.segment != segment_) {
    // A record lies in one segment, so the new one begins with it.
    if (segment_ != 0) ends_.push_back({segment_, record.first_position - 1, head_});
    segment_ = record.segment;
  }
  head_ = storage::NextChainHead(head_, record, from_position, through_position);
}

std::vector<storage::SegmentEnd> AuditTrail::TakeEnds() { return std::exchange(ends_, {}); }

}  // namespace tally::hosting
