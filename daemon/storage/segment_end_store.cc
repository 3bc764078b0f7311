#include "daemon/storage/segment_end_store.h"

#include <optional>
#include <string_view>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/record_codec.h"
#include "daemon/storage/segment_files.h"
#include "daemon/storage/whole_file.h"

namespace tally::storage {
namespace {

absl::Status Contradiction(const std::string& path, const SegmentEnd& stored,
                           const SegmentEnd& computed) {
  return absl::DataLossError(text::StrCat(
      path, ": says that the segment of positions ", stored.first_position, " to ",
      stored.last_position, " ends with audit chain head ", stored.chain_head,
      ", but the journal's segment of positions ", computed.first_position, " to ",
      computed.last_position, " gives ", computed.chain_head,
      ": the segment or this file was changed after its samples were learnt; restore the journal "
      "from a backup, or export a kept generation and import it as a new model; if the segment is "
      "known to be right, move this file away and the next start makes it again"));
}

}  // namespace

SegmentEndStore::SegmentEndStore(FileSystem& fs, std::string journal_directory)
    : fs_(fs), directory_(std::move(journal_directory)) {}

std::string SegmentEndStore::PathOf(uint64_t first_position) const {
  return SegmentEndPath(directory_, first_position);
}

absl::Status SegmentEndStore::Write(const std::vector<SegmentEnd>& ends) {
  if (ends.empty()) return absl::OkStatus();
  for (const SegmentEnd& end : ends) {
    TALLY_RETURN_IF_ERROR(WriteWholeFile(fs_, PathOf(end.first_position), EncodeSegmentEnd(end)));
  }
  return fs_.SyncDirectory(directory_);
}

absl::StatusOr<SegmentEndStore::Found> SegmentEndStore::Check(const SegmentEnd& end) {
  const std::string path = PathOf(end.first_position);
  const absl::StatusOr<std::string> bytes = fs_.ReadFile(path);
  if (absl::IsNotFound(bytes.status())) return Found::kAbsent;
  if (!bytes.ok()) return bytes.status();
  const absl::StatusOr<SegmentEnd> stored = DecodeSegmentEnd(*bytes);
  if (absl::IsDataLoss(stored.status())) {
    TALLY_RETURN_IF_ERROR(SetFileAside(fs_, path));
    TALLY_RETURN_IF_ERROR(fs_.SyncDirectory(directory_));
    return Found::kSetAside;
  }
  if (!stored.ok()) {
    return absl::Status(stored.status().code(),
                        text::StrCat(path, ": ", stored.status().message()));
  }
  if (*stored != end) return Contradiction(path, *stored, end);
  return Found::kRight;
}

// Without a sync of the directory: a removal that a power loss takes back is done again at the next
// start.
absl::Status SegmentEndStore::RemoveBefore(uint64_t oldest_position) {
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.ListDirectory(directory_));
  for (const std::string& name : names) {
    const std::optional<uint64_t> segment = SegmentOfEndName(name);
    if (!segment) continue;
    const bool finished = PathOf(*segment) == text::StrCat(directory_, "/", name);
    if (finished && *segment >= oldest_position) continue;
    const absl::Status removed = fs_.RemoveFile(text::StrCat(directory_, "/", name));
    if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  }
  return absl::OkStatus();
}

}  // namespace tally::storage
