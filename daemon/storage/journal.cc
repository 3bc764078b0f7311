#include "daemon/storage/journal.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/record_codec.h"
#include "daemon/storage/segment_files.h"

namespace tally::storage {
namespace {

// A segment that has an open file because not all of it is known to be on stable storage yet.
struct OpenSegment {
  uint64_t first_position = 0;
  std::unique_ptr<WritableFile> file;
  bool unsynced_name = false;  // touched by Open and Sync only
};
using OpenSegmentPtr = std::shared_ptr<OpenSegment>;

struct Segment {
  uint64_t first_position = 0;
  uint64_t size_bytes = 0;
};

// Syncs the content and gives the segment its final name, durably. Every segment before it must be
// synced already: that is what the name says. A directory sync for each name, because two renames
// in one directory may reach the disk in either order.
absl::Status MakeDurable(FileSystem& fs, const std::string& directory, OpenSegment& segment) {
  TALLY_RETURN_IF_ERROR(segment.file->Sync());
  if (!segment.unsynced_name) return absl::OkStatus();
  TALLY_RETURN_IF_ERROR(fs.Rename(UnsyncedSegmentPath(directory, segment.first_position),
                                  SegmentPath(directory, segment.first_position)));
  TALLY_RETURN_IF_ERROR(fs.SyncDirectory(directory));
  segment.unsynced_name = false;
  return absl::OkStatus();
}

// Makes an empty segment under its unsynced name. After an error a part of it may be left; it is
// removed by the next attempt or the next start.
absl::StatusOr<OpenSegmentPtr> CreateSegment(FileSystem& fs, const std::string& directory,
                                             const SegmentHeader& header) {
  const std::string path = UnsyncedSegmentPath(directory, header.first_position);
  auto file = fs.CreateExclusive(path);
  if (absl::IsAlreadyExists(file.status())) {
    TALLY_RETURN_IF_ERROR(fs.RemoveFile(path));
    file = fs.CreateExclusive(path);
  }
  if (!file.ok()) return file.status();
  TALLY_RETURN_IF_ERROR((*file)->Append(EncodeSegmentHeader(header)));
  return std::make_shared<OpenSegment>(
      OpenSegment{header.first_position, *std::move(file), /*unsynced_name=*/true});
}

class FileJournal final : public Journal {
 public:
  FileJournal(FileSystem& fs, std::string directory, const JournalOptions& options)
      : fs_(fs), directory_(std::move(directory)), options_(options) {
    // Only closed segments can be pruned: a journal at its limit must have some.
    options_.segment_bytes = std::min(options.segment_bytes, options.journal_bytes_max / 4);
  }

  // Exactly one of the next two is called before anything else.
  absl::Status Begin(uint64_t first_position);
  absl::Status Continue(const std::vector<SegmentFile>& segments, const JournalTail& tail);

  absl::Status Append(const RecordBody& body) override;
  absl::Status Sync() override;
  absl::Status Prune(uint64_t through_position) override;

  uint64_t next_position() const override { return next_position_; }
  uint64_t segment_position() const override { return segments_.back().first_position; }
  uint64_t size_bytes() const override { return size_bytes_; }
  uint64_t oldest_position() const override { return segments_.front().first_position; }

 private:
  absl::Status CheckUsable();
  absl::Status Fail(const absl::Status& status);
  absl::Status NoSpaceOrFail(const absl::Status& status);
  absl::Status CheckLimit(uint64_t more_bytes) const;
  bool SegmentIsFull() const;
  absl::Status Rotate();
  absl::Status UndoAppend(const absl::Status& cause);
  absl::StatusOr<OpenSegmentPtr> Reopen(const SegmentFile& segment, const JournalTail& tail);
  void Adopt(OpenSegmentPtr segment, uint64_t size_bytes);

  FileSystem& fs_;
  const std::string directory_;
  JournalOptions options_;

  // Under the owner's lock.
  uint64_t next_position_ = 1;
  uint64_t chain_ = 0;
  uint64_t size_bytes_ = 0;
  EncodedRecord record_;           // being written; reused
  std::vector<Segment> segments_;  // rising; the last one grows
  OpenSegmentPtr current_;         // the last one

  Mutex mutex_;
  // In order; the last one is the current one. Those before it are closed for appending.
  std::vector<OpenSegmentPtr> open_ TALLY_GUARDED_BY(mutex_);
  absl::Status failure_ TALLY_GUARDED_BY(mutex_);
};

absl::Status FileJournal::CheckUsable() {
  const MutexLock lock(mutex_);
  return failure_;
}

// Everything from now on gets the same answer: after a failed write or sync nobody knows what is on
// the disk but the next start, which reads it.
absl::Status FileJournal::Fail(const absl::Status& status) {
  const MutexLock lock(mutex_);
  if (failure_.ok()) {
    failure_ = absl::DataLossError(
        text::StrCat(status.message(), "; the journal in ", directory_,
                     " must not be used any more: start again, and recovery reads what is there"));
  }
  return failure_;
}

absl::Status FileJournal::NoSpaceOrFail(const absl::Status& status) {
  if (!absl::IsResourceExhausted(status)) return Fail(status);
  return absl::ResourceExhaustedError(text::StrCat(
      status.message(), "; nothing of the record was kept: free disk space and send it again"));
}

absl::Status FileJournal::CheckLimit(uint64_t more_bytes) const {
  if (size_bytes_ + more_bytes <= options_.journal_bytes_max) return absl::OkStatus();
  return absl::ResourceExhaustedError(text::StrCat(
      "the journal in ", directory_, " has ", size_bytes_, " bytes and its limit is ",
      options_.journal_bytes_max, "; a checkpoint lets it drop what it no longer needs"));
}

bool FileJournal::SegmentIsFull() const {
  const uint64_t bytes = segments_.back().size_bytes;
  return bytes >= options_.segment_bytes && bytes > kSegmentHeaderBytes;
}

void FileJournal::Adopt(OpenSegmentPtr segment, uint64_t size_bytes) {
  segments_.push_back({segment->first_position, size_bytes});
  size_bytes_ += size_bytes;
  current_ = segment;
  const MutexLock lock(mutex_);
  open_.push_back(std::move(segment));
}

absl::Status FileJournal::Begin(uint64_t first_position) {
  TALLY_ASSIGN_OR_RETURN(OpenSegmentPtr segment,
                         CreateSegment(fs_, directory_, {first_position, /*chain=*/0}));
  TALLY_RETURN_IF_ERROR(MakeDurable(fs_, directory_, *segment));
  next_position_ = first_position;
  Adopt(std::move(segment), kSegmentHeaderBytes);
  return absl::OkStatus();
}

absl::StatusOr<OpenSegmentPtr> FileJournal::Reopen(const SegmentFile& segment,
                                                   const JournalTail& tail) {
  TALLY_ASSIGN_OR_RETURN(auto file, fs_.OpenForAppend(segment.path));
  if (segment.path == tail.segment && file->size_bytes() != tail.valid_bytes) {
    TALLY_RETURN_IF_ERROR(file->Truncate(tail.valid_bytes));
  }
  return std::make_shared<OpenSegment>(
      OpenSegment{segment.first_position, std::move(file), segment.unsynced});
}

// A process that was killed may have left records, segments and names that no sync has covered;
// they were found, so they must not get lost now. The segments before the last synced one were
// synced by its name.
absl::Status FileJournal::Continue(const std::vector<SegmentFile>& segments,
                                   const JournalTail& tail) {
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (!last && !segments[i].unsynced && !segments[i + 1].unsynced) {
      TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, fs_.FileSize(segments[i].path));
      segments_.push_back({segments[i].first_position, size_bytes});
      size_bytes_ += size_bytes;
      continue;
    }
    TALLY_ASSIGN_OR_RETURN(OpenSegmentPtr segment, Reopen(segments[i], tail));
    TALLY_RETURN_IF_ERROR(MakeDurable(fs_, directory_, *segment));
    const uint64_t size_bytes = segment->file->size_bytes();
    if (last) {
      Adopt(std::move(segment), size_bytes);
    } else {
      segments_.push_back({segment->first_position, size_bytes});
      size_bytes_ += size_bytes;
    }
  }
  next_position_ = tail.next_position;
  chain_ = tail.chain;
  return fs_.SyncDirectory(directory_);
}

absl::Status FileJournal::Append(const RecordBody& body) {
  TALLY_RETURN_IF_ERROR(CheckUsable());
  if (SegmentIsFull()) TALLY_RETURN_IF_ERROR(Rotate());
  const uint64_t checksum = EncodeRecord(body, next_position_, chain_, record_);
  const size_t bytes = record_.size_bytes();
  TALLY_RETURN_IF_ERROR(CheckLimit(bytes));
  const absl::Status status = current_->file->AppendPieces(record_.pieces());
  if (!status.ok()) return UndoAppend(status);
  segments_.back().size_bytes += bytes;
  size_bytes_ += bytes;
  next_position_ += PositionCount(body);
  chain_ = checksum;
  return absl::OkStatus();
}

// The closed segment stays in open_ until a Sync has covered it.
absl::Status FileJournal::Rotate() {
  TALLY_RETURN_IF_ERROR(CheckLimit(kSegmentHeaderBytes));
  absl::StatusOr<OpenSegmentPtr> segment = CreateSegment(fs_, directory_, {next_position_, chain_});
  if (!segment.ok()) return NoSpaceOrFail(segment.status());
  Adopt(*std::move(segment), kSegmentHeaderBytes);
  return absl::OkStatus();
}

absl::Status FileJournal::UndoAppend(const absl::Status& cause) {
  const absl::Status truncated = current_->file->Truncate(segments_.back().size_bytes);
  return truncated.ok() ? NoSpaceOrFail(cause) : Fail(truncated);
}

absl::Status FileJournal::Sync() {
  std::vector<OpenSegmentPtr> covered;
  {
    const MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    covered = open_;
  }
  for (const OpenSegmentPtr& segment : covered) {
    const absl::Status status = MakeDurable(fs_, directory_, *segment);
    if (!status.ok()) return Fail(status);
  }
  // The last one may have grown meanwhile; the others were closed before this call began.
  const MutexLock lock(mutex_);
  open_.erase(open_.begin(), open_.begin() + static_cast<ptrdiff_t>(covered.size() - 1));
  return absl::OkStatus();
}

// One at a time, oldest first, each made durable, so that no crash leaves a hole between two
// segments.
absl::Status FileJournal::Prune(uint64_t through_position) {
  uint64_t keep_from = 0;  // segments that are still open stay
  {
    const MutexLock lock(mutex_);
    if (!failure_.ok()) return failure_;
    keep_from = open_.front()->first_position;
  }
  while (segments_.front().first_position < keep_from &&
         segments_[1].first_position - 1 <= through_position) {
    absl::Status status = fs_.RemoveFile(SegmentPath(directory_, segments_.front().first_position));
    if (status.ok() || absl::IsNotFound(status)) status = fs_.SyncDirectory(directory_);
    if (!status.ok()) return absl::IsDataLoss(status) ? Fail(status) : status;
    size_bytes_ -= segments_.front().size_bytes;
    segments_.erase(segments_.begin());
  }
  return absl::OkStatus();
}

// Removes the segments behind the tail, last first, and leaves in `segments` those that are kept.
absl::Status RemoveTornSegments(FileSystem& fs, const std::string& directory,
                                const JournalTail& tail, std::vector<SegmentFile>& segments) {
  bool removed = false;
  while (!segments.empty() && segments.back().path != tail.segment) {
    if (!segments.back().unsynced) {
      return absl::FailedPreconditionError(
          text::StrCat(segments.back().path, " lies behind the tail that was found (\"",
                       tail.segment, "\"): scan the journal again"));
    }
    TALLY_RETURN_IF_ERROR(fs.RemoveFile(segments.back().path));
    segments.pop_back();
    removed = true;
  }
  return removed ? fs.SyncDirectory(directory) : absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(FileSystem& fs, const std::string& directory,
                                                       const JournalTail& tail,
                                                       uint64_t first_position,
                                                       const JournalOptions& options) {
  TALLY_ASSIGN_OR_RETURN(std::vector<SegmentFile> segments, ListSegments(fs, directory));
  TALLY_RETURN_IF_ERROR(RemoveTornSegments(fs, directory, tail, segments));
  auto journal = std::make_unique<FileJournal>(fs, directory, options);
  TALLY_RETURN_IF_ERROR(segments.empty() ? journal->Begin(first_position)
                                         : journal->Continue(segments, tail));
  return journal;
}

}  // namespace tally::storage
