#include "client/lib/send_window.h"

#include <utility>

namespace tally::internal {

void SendWindow::Push(std::unique_ptr<v1::TrainStreamRequest> packet) {
  const auto rows = static_cast<uint64_t>(packet->samples().labels_size());
  const uint64_t bytes = PacketBytes(packet->samples().rows().size(), rows);
  packet->mutable_samples()->set_first_sequence(next_sequence_);
  next_sequence_ += rows;
  bytes_ += bytes;
  kept_.push_back({std::move(packet), next_sequence_ - 1, bytes});
}

std::shared_ptr<const v1::TrainStreamRequest> SendWindow::TakeUnwritten() {
  return kept_[written_++].request;
}

void SendWindow::Acknowledge(uint64_t sequence) {
  while (!kept_.empty() && kept_.front().last_sequence <= sequence) {
    bytes_ -= kept_.front().bytes;
    kept_.pop_front();
    if (written_ > 0) --written_;
  }
}

}  // namespace tally::internal
