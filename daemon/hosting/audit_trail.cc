#include "daemon/hosting/audit_trail.h"

#include <utility>

namespace tally::hosting {

AuditTrail::AuditTrail(std::string_view head, uint64_t segment) : chain_(head), segment_(segment) {}

void AuditTrail::Pass(const storage::Record& record, uint64_t from_position,
                      uint64_t through_position) {
  if (record.segment != segment_) {
    // A record lies in one segment, so the new one begins with it.
    if (segment_ != 0) ends_.push_back({segment_, record.first_position - 1, chain_.head()});
    segment_ = record.segment;
  }
  chain_.Pass(record, from_position, through_position);
}

std::vector<storage::SegmentEnd> AuditTrail::TakeEnds() { return std::exchange(ends_, {}); }

}  // namespace tally::hosting
