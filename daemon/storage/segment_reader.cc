#include "daemon/storage/segment_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::storage {
namespace {

// Large enough to make the calls few, small enough for a board.
constexpr uint64_t kWindowBytes = 256 * 1024;

}  // namespace

SegmentReader::SegmentReader(FileSystem& fs, std::string path, uint64_t size_bytes)
    : fs_(fs), path_(std::move(path)), size_bytes_(size_bytes) {}

absl::StatusOr<std::string_view> SegmentReader::View(uint64_t offset, uint64_t count) {
  const uint64_t wanted = std::min(count, size_bytes_ - std::min(offset, size_bytes_));
  if (offset < window_offset_ || offset + wanted > window_offset_ + window_.size()) {
    TALLY_ASSIGN_OR_RETURN(window_, fs_.ReadRange(path_, offset, std::max(wanted, kWindowBytes)));
    window_offset_ = offset;
    if (window_.size() < wanted) {
      return absl::DataLossError(
          text::StrCat(path_, ": shrank while it was read, at byte ", offset + window_.size()));
    }
  }
  return std::string_view(window_).substr(static_cast<size_t>(offset - window_offset_),
                                          static_cast<size_t>(wanted));
}

absl::StatusOr<SegmentHeader> SegmentReader::ReadHeader() {
  TALLY_ASSIGN_OR_RETURN(const std::string_view bytes, View(0, kSegmentHeaderBytes));
  return DecodeSegmentHeader(bytes);
}

absl::StatusOr<Found> SegmentReader::Next(uint64_t offset, uint64_t position, uint64_t chain) {
  if (offset == size_bytes_) return Found();
  TALLY_ASSIGN_OR_RETURN(const std::string_view start, View(offset, kRecordHeaderBytes));
  if (start.size() < kRecordHeaderBytes) {
    return Found{Found::What::kTorn, {}, {}, "the file ends inside a record header"};
  }
  const std::optional<RecordHeader> header = DecodeRecordHeader(start);
  if (!header) {
    return Broken(offset + kRecordAlignment, position, "record header does not match its check");
  }
  if (header->first_position != position || header->previous != chain) {
    return Found{
        Found::What::kDamaged,
        {},
        {},
        text::StrCat("record of position ", header->first_position,
                     " does not continue the one before it; expected position ", position)};
  }
  // The header belongs here and is whole, so its length can be trusted: what follows are its own
  // bytes.
  const uint64_t end = offset + header->record_bytes();
  if (end > size_bytes_) {
    return Found{Found::What::kTorn, {}, {}, "the file ends inside a record"};
  }
  TALLY_ASSIGN_OR_RETURN(const std::string_view record, View(offset, header->record_bytes()));
  if (!ChecksumIsRight(record)) {
    return Broken(end, position, "record does not match its checksum");
  }
  return Found{Found::What::kRecord, *header, record, ""};
}

// A record header that passes its check and whose position fits is proof enough of data: its
// payload may be damaged too. Positions take at least a byte each, which bounds how far they can
// have come.
absl::StatusOr<Found> SegmentReader::Broken(uint64_t offset, uint64_t position,
                                            std::string reason) {
  for (; offset + kRecordHeaderBytes <= size_bytes_; offset += kRecordAlignment) {
    TALLY_ASSIGN_OR_RETURN(const std::string_view bytes, View(offset, kRecordHeaderBytes));
    const std::optional<RecordHeader> header = DecodeRecordHeader(bytes);
    if (header && header->first_position > position &&
        header->first_position - position <= size_bytes_) {
      return Found{
          Found::What::kDamaged, {}, {}, text::StrCat(reason, ", and there are records behind it")};
    }
  }
  return Found{Found::What::kTorn, {}, {}, std::move(reason)};
}

}  // namespace tally::storage
