// Cuts the stream of packets into mini-batches by count alone.

#ifndef TALLY_DAEMON_HOSTING_MINI_BATCH_ASSEMBLER_H_
#define TALLY_DAEMON_HOSTING_MINI_BATCH_ASSEMBLER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/learner/learner.h"
#include "daemon/hosting/audit_trail.h"
#include "daemon/storage/record.h"

namespace tally::hosting {

// Rows wait here in journal order, in the records they came in; they are copied only when a
// mini-batch crosses the border of two packets. Control records wait in their places between them,
// because the audit chain is carried over every position once all rows before it are trained.
class MiniBatchAssembler {
 public:
  // `trail`: up to the first record added.
  MiniBatchAssembler(size_t row_bytes, AuditTrail trail)
      : row_bytes_(row_bytes), trail_(std::move(trail)) {}

  // Appends the rows of a packet, leaving out the first `skip`.
  void AddSamples(storage::Record record, size_t skip);
  // Appends a record without rows.
  void AddControl(storage::Record record);

  size_t pending_rows() const { return pending_rows_; }
  uint64_t first_position() const;  // of the next row; pending_rows() > 0

  struct View {
    RowBatch rows;
    std::span<const uint32_t> labels;
  };
  // The next `count` rows, 1 to pending_rows(), contiguous. Valid until the next call of any
  // method.
  View Front(size_t count);

  // Drops the next `count` rows and tells, packet by packet, which sequence its source has reached.
  void Pop(size_t count,
           const std::function<void(const std::string& source, uint64_t through)>& reached);

  // Drops everything; the audit chain passes over it.
  void Clear();
  // Frees what Front() needed to join packets; worth calling after an unusually large view.
  void ReleaseScratch();

  // Over everything before the next row.
  const AuditTrail& trail() const { return trail_; }
  AuditTrail& trail() { return trail_; }

 private:
  struct Piece {
    storage::Record record;
    size_t next = 0;  // row of the packet

    const storage::SamplesRecord* packet() const {
      return std::get_if<storage::SamplesRecord>(&record.body);
    }
    size_t left() const { return packet() == nullptr ? 0 : packet()->labels.size() - next; }
  };
  void DropPassed();

  const size_t row_bytes_;
  AuditTrail trail_;
  std::deque<Piece> pieces_;  // while there are rows, the first piece has some
  size_t pending_rows_ = 0;
  std::string joined_rows_;
  std::vector<uint32_t> joined_labels_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_MINI_BATCH_ASSEMBLER_H_
