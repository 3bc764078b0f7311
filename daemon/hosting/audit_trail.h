// Carries the audit chain over the records that have been trained, past the ends of segments.

#ifndef TALLY_DAEMON_HOSTING_AUDIT_TRAIL_H_
#define TALLY_DAEMON_HOSTING_AUDIT_TRAIL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/storage/audit_chain.h"
#include "daemon/storage/record.h"

namespace tally::hosting {

class AuditTrail {
 public:
  // `head`: of the chain so far. `segment`: the journal's segment in which it was reached, by its
  // first position; 0 if there is none any more, or none yet.
  AuditTrail(std::string_view head, uint64_t segment);

  // Passes the positions of `record` that lie in [from_position, through_position]; at least one.
  // A segment's end is noted when the first position behind it is passed: only then it is closed.
  void Pass(const storage::Record& record, uint64_t from_position = 0,
            uint64_t through_position = UINT64_MAX);

  std::string head() const { return chain_.head(); }
  // The ends noted since the last call, in order.
  std::vector<storage::SegmentEnd> TakeEnds();

 private:
  storage::AuditChain chain_;
  uint64_t segment_;
  std::vector<storage::SegmentEnd> ends_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_AUDIT_TRAIL_H_
