// The packets of one session that the server has not yet acknowledged: a bounded queue that is read
// twice.
//
// A packet enters at the back, is handed out for writing to the present stream, stays until it is
// acknowledged, and is handed out again after Rewind (a new stream). No thread rules: the owner
// locks.

#ifndef TALLY_CLIENT_LIB_SEND_WINDOW_H_
#define TALLY_CLIENT_LIB_SEND_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "tally/v1/training.pb.h"

namespace tally::internal {

class SendWindow {
 public:
  // `next_sequence` is that of the first row to come.
  SendWindow(uint64_t bytes_max, uint64_t next_sequence)
      : bytes_max_(bytes_max), next_sequence_(next_sequence) {}

  uint64_t next_sequence() const { return next_sequence_; }
  bool empty() const { return kept_.empty(); }
  bool HasUnwritten() const { return written_ < kept_.size(); }

  // An empty window takes a packet of any size, so that one larger than the window is not stuck.
  bool HasRoom(uint64_t bytes) const {
    return kept_.empty() || (bytes <= bytes_max_ && bytes_ <= bytes_max_ - bytes);
  }

  // Numbers the packet's rows and keeps it. Labels say how many rows it has (at least one).
  void Push(std::unique_ptr<v1::TrainStreamRequest> packet);

  // The oldest packet not yet written to the present stream. Shared: it may be acknowledged (by an
  // overlapping older stream) while it is still being written. HasUnwritten() must be true.
  std::shared_ptr<const v1::TrainStreamRequest> TakeUnwritten();

  // A new stream begins: everything kept is to be written again.
  void Rewind() { written_ = 0; }

  // Forgets packets whose last row is at or before `sequence`.
  void Acknowledge(uint64_t sequence);

  // What a packet counts: rows and labels.
  static uint64_t PacketBytes(uint64_t rows_bytes, uint64_t labels) {
    return rows_bytes + 4 * labels;
  }

 private:
  struct Packet {
    std::shared_ptr<const v1::TrainStreamRequest> request;
    uint64_t last_sequence;
    uint64_t bytes;
  };

  const uint64_t bytes_max_;
  uint64_t next_sequence_;
  std::deque<Packet> kept_;  // oldest first
  size_t written_ = 0;       // how many of kept_'s first packets went to the present stream
  uint64_t bytes_ = 0;       // of all kept packets
};

}  // namespace tally::internal

#endif  // TALLY_CLIENT_LIB_SEND_WINDOW_H_
