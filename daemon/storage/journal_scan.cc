#include <algorithm>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/segment_files.h"
#include "daemon/storage/segment_reader.h"

namespace tally::storage {
namespace {

using Visitor = std::function<absl::Status(Record)>;

constexpr std::string_view kRemedy =
    "Restore the file from a backup, or move the model's directory away and import its last "
    "checkpoint; nothing was changed.";

// Walks the segments of one directory in order and keeps the tail up to date.
class Scanner {
 public:
  Scanner(FileSystem& fs, std::vector<SegmentFile> segments, uint64_t from_position,
          const Visitor& visit)
      : fs_(fs), segments_(std::move(segments)), from_position_(from_position), visit_(visit) {
    for (size_t i = 0; i < segments_.size(); ++i) {
      if (!segments_[i].unsynced) synced_count_ = i + 1;
    }
  }

  absl::StatusOr<JournalTail> Run() {
    for (size_t i = FirstToRead(); i < segments_.size(); ++i) {
      TALLY_ASSIGN_OR_RETURN(const bool whole, ScanSegment(i));
      if (whole) continue;
      TALLY_RETURN_IF_ERROR(CountTorn(i + 1));
      break;
    }
    return tail_;
  }

 private:
  // Behind the last synced segment nothing was ever acknowledged as durable.
  bool Droppable(size_t index) const { return index >= synced_count_; }

  // The last synced segment that begins at or before from_position. Never one that a power loss may
  // have torn away, because then only the segments before it know where the journal ends.
  size_t FirstToRead() const {
    size_t first = 0;
    for (size_t i = 0; i < synced_count_; ++i) {
      if (!segments_[i].unsynced && segments_[i].first_position <= from_position_) first = i;
    }
    return first;
  }

  // False if the journal ends in this segment, although files follow.
  absl::StatusOr<bool> ScanSegment(size_t index) {
    const SegmentFile& segment = segments_[index];
    TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, fs_.FileSize(segment.path));
    SegmentReader reader(fs_, segment.path, size_bytes);
    const absl::Status header = CheckHeader(reader, segment);
    if (!header.ok()) {
      if (!absl::IsDataLoss(header) || !Droppable(index)) return header;
      tail_.torn_bytes += size_bytes;
      return false;
    }
    segment_ = segment.first_position;
    tail_.segment = segment.path;
    tail_.valid_bytes = kSegmentHeaderBytes;
    return ScanRecords(reader, index);
  }

  absl::Status CheckHeader(SegmentReader& reader, const SegmentFile& segment) {
    const absl::StatusOr<SegmentHeader> header = reader.ReadHeader();
    if (!header.ok()) {
      return absl::Status(header.status().code(),
                          text::StrCat(segment.path, ": ", header.status().message(), ". ",
                                       absl::IsDataLoss(header.status()) ? kRemedy : ""));
    }
    if (header->first_position != segment.first_position) {
      return absl::DataLossError(
          text::StrCat(segment.path, ": the segment was written for position ",
                       header->first_position, ", which is not the one in its name. ", kRemedy));
    }
    if (!started_) {
      started_ = true;
      tail_.next_position = segment.first_position;
      tail_.chain = header->chain;
    }
    if (segment.first_position != tail_.next_position || header->chain != tail_.chain) {
      return absl::DataLossError(
          text::StrCat(segment.path, ": the segment begins at position ", segment.first_position,
                       ", but the records before it end at ", tail_.next_position - 1,
                       header->chain == tail_.chain ? "" : " with another checksum",
                       ": a segment is missing or does not belong here. ", kRemedy));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<bool> ScanRecords(SegmentReader& reader, size_t index) {
    while (true) {
      TALLY_ASSIGN_OR_RETURN(const Found found,
                             reader.Next(tail_.valid_bytes, tail_.next_position, tail_.chain));
      switch (found.what) {
        case Found::What::kEnd:
          return true;
        case Found::What::kRecord:
          TALLY_RETURN_IF_ERROR(Visit(found, reader));
          break;
        case Found::What::kTorn:
        case Found::What::kDamaged:
          if (!EndsHere(found, index)) return Damage(found, reader);
          tail_.torn_bytes += reader.size_bytes() - tail_.valid_bytes;
          return false;
      }
    }
  }

  bool EndsHere(const Found& found, size_t index) const {
    if (Droppable(index)) return true;
    return found.what == Found::What::kTorn && index + 1 == synced_count_;
  }

  absl::Status Visit(const Found& found, const SegmentReader& reader) {
    const RecordHeader& header = found.header;
    if (header.position_count == 0 || header.position_count > UINT64_MAX - header.first_position) {
      return absl::DataLossError(text::StrCat(Where(reader), ": record breaks the format: ",
                                              header.position_count, " positions. ", kRemedy));
    }
    if (header.first_position + header.position_count - 1 >= from_position_) {
      absl::StatusOr<RecordBody> body = DecodeBody(header, found.record);
      if (!body.ok()) {
        return absl::Status(body.status().code(),
                            text::StrCat(Where(reader), ": ", body.status().message()));
      }
      TALLY_RETURN_IF_ERROR(visit_({header.first_position, *std::move(body), segment_}));
    }
    tail_.valid_bytes += header.record_bytes();
    tail_.next_position += header.position_count;
    tail_.chain = header.checksum;
    return absl::OkStatus();
  }

  std::string Where(const SegmentReader& reader) const {
    return text::StrCat(reader.path(), ": byte ", tail_.valid_bytes, ", position ",
                        tail_.next_position);
  }

  absl::Status Damage(const Found& found, const SegmentReader& reader) const {
    const std::string_view segments =
        found.what == Found::What::kTorn ? ", and segments follow" : "";
    return absl::DataLossError(text::StrCat(Where(reader), ": ", found.reason, segments,
                                            ", so that this is no torn tail but damage. ",
                                            kRemedy));
  }

  // Everything in the segments from `index` on.
  absl::Status CountTorn(size_t index) {
    for (; index < segments_.size(); ++index) {
      TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, fs_.FileSize(segments_[index].path));
      tail_.torn_bytes += size_bytes;
    }
    return absl::OkStatus();
  }

  FileSystem& fs_;
  const std::vector<SegmentFile> segments_;
  const uint64_t from_position_;
  const Visitor& visit_;
  size_t synced_count_ = 0;  // segments up to and including the last synced one
  bool started_ = false;
  uint64_t segment_ = 0;  // first position of the one being read
  JournalTail tail_;
};

}  // namespace

absl::StatusOr<JournalTail> ScanJournal(FileSystem& fs, const std::string& directory,
                                        uint64_t from_position, const Visitor& visit) {
  TALLY_ASSIGN_OR_RETURN(std::vector<SegmentFile> segments, ListSegments(fs, directory));
  return Scanner(fs, std::move(segments), from_position, visit).Run();
}

}  // namespace tally::storage
