#include "daemon/hosting/mini_batch_assembler.h"

#include <algorithm>
#include <utility>

#include "core/arithmetic/check.h"

namespace tally::hosting {

void MiniBatchAssembler::AddSamples(storage::Record record, size_t skip) {
  const auto& packet = std::get<storage::SamplesRecord>(record.body);
  TALLY_CHECK(packet.rows.size() == packet.labels.size() * row_bytes_);
  TALLY_CHECK(skip < packet.labels.size());
  pending_rows_ += packet.labels.size() - skip;
  pieces_.push_back({std::move(record), skip});
}

void MiniBatchAssembler::AddControl(storage::Record record) {
  pieces_.push_back({std::move(record), 0});
  DropPassed();
}

uint64_t MiniBatchAssembler::first_position() const {
  TALLY_CHECK(pending_rows_ > 0);
  return pieces_.front().record.first_position + pieces_.front().next;
}

MiniBatchAssembler::View MiniBatchAssembler::Front(size_t count) {
  TALLY_CHECK(count > 0 && count <= pending_rows_);
  const Piece& first = pieces_.front();
  std::string_view rows(first.packet()->rows);
  std::span<const uint32_t> labels(first.packet()->labels);
  if (first.left() >= count) {
    rows = rows.substr(first.next * row_bytes_, count * row_bytes_);
    labels = labels.subspan(first.next, count);
  } else {
    joined_rows_.clear();
    joined_labels_.clear();
    for (auto piece = pieces_.begin(); joined_labels_.size() < count; ++piece) {
      const size_t taken = std::min(piece->left(), count - joined_labels_.size());
      if (taken == 0) continue;
      joined_rows_.append(piece->packet()->rows, piece->next * row_bytes_, taken * row_bytes_);
      const auto label = piece->packet()->labels.begin() + static_cast<ptrdiff_t>(piece->next);
      joined_labels_.insert(joined_labels_.end(), label, label + static_cast<ptrdiff_t>(taken));
    }
    rows = joined_rows_;
    labels = joined_labels_;
  }
  return {{std::as_bytes(std::span<const char>(rows)), count}, labels};
}

void MiniBatchAssembler::Pop(
    size_t count, const std::function<void(const std::string& source, uint64_t through)>& reached) {
  TALLY_CHECK(count <= pending_rows_);
  pending_rows_ -= count;
  while (count > 0) {
    Piece& piece = pieces_.front();
    const size_t taken = std::min(piece.left(), count);
    const uint64_t from = piece.record.first_position + piece.next;
    trail_.Pass(piece.record, from, from + taken - 1);
    piece.next += taken;
    count -= taken;
    reached(piece.packet()->source, piece.packet()->first_sequence + piece.next - 1);
    DropPassed();
  }
}

// Control records at the front have every row before them behind them.
void MiniBatchAssembler::DropPassed() {
  while (!pieces_.empty() && pieces_.front().left() == 0) {
    const Piece& piece = pieces_.front();
    if (piece.packet() == nullptr) trail_.Pass(piece.record);
    pieces_.pop_front();
  }
}

void MiniBatchAssembler::Clear() {
  for (const Piece& piece : pieces_) {
    trail_.Pass(piece.record, piece.record.first_position + piece.next);
  }
  pieces_.clear();
  pending_rows_ = 0;
}

void MiniBatchAssembler::ReleaseScratch() {
  joined_rows_ = std::string();
  joined_labels_ = std::vector<uint32_t>();
}

}  // namespace tally::hosting
