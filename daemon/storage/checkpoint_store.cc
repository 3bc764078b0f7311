#include "daemon/storage/checkpoint_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::storage {
namespace {

constexpr std::string_view kSuffix = ".safetensors";
constexpr std::string_view kTemporarySuffix = ".safetensors.new";
constexpr size_t kCompareBytes = 1 << 20;

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

// The position in "<position>.safetensors"; nothing if `name` is no such name exactly as PathOf
// writes it.
std::optional<uint64_t> PositionIn(std::string_view name) {
  if (!EndsWith(name, kSuffix)) return std::nullopt;
  const std::string_view digits = name.substr(0, name.size() - kSuffix.size());
  uint64_t position = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    const uint64_t value = static_cast<uint64_t>(digit - '0');
    if (position > (UINT64_MAX - value) / 10) return std::nullopt;
    position = position * 10 + value;
  }
  if (text::StrCat(position) != digits) return std::nullopt;
  return position;
}

absl::Status WriteAndSync(FileSystem& fs, const std::string& path, std::string_view bytes) {
  TALLY_ASSIGN_OR_RETURN(const auto file, fs.CreateExclusive(path));
  TALLY_RETURN_IF_ERROR(file->Append(bytes));
  return file->Sync();
}

// What the file system gives back may differ from what it was given: better to learn that while the
// old generations are still there.
absl::Status CheckContent(FileSystem& fs, const std::string& path, std::string_view bytes) {
  TALLY_ASSIGN_OR_RETURN(const uint64_t size_bytes, fs.FileSize(path));
  if (size_bytes != bytes.size()) {
    return absl::DataLossError(text::StrCat(path, ": wrote ", bytes.size(), " bytes, found ",
                                            size_bytes, ": the disk is not to be trusted"));
  }
  for (size_t offset = 0; offset < bytes.size(); offset += kCompareBytes) {
    TALLY_ASSIGN_OR_RETURN(const std::string found, fs.ReadRange(path, offset, kCompareBytes));
    if (found != bytes.substr(offset, kCompareBytes)) {
      return absl::DataLossError(text::StrCat(path, ": reads back differently between bytes ",
                                              offset, " and ", offset + found.size(),
                                              ": the disk is not to be trusted"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

CheckpointStore::CheckpointStore(FileSystem& fs, std::string directory)
    : fs_(fs), directory_(std::move(directory)) {}

std::string CheckpointStore::PathOf(uint64_t position) const {
  return text::StrCat(directory_, "/", position, kSuffix);
}

absl::Status CheckpointStore::RemoveLeftovers() {
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.ListDirectory(directory_));
  for (const std::string& name : names) {
    if (!EndsWith(name, kTemporarySuffix)) continue;
    TALLY_RETURN_IF_ERROR(fs_.RemoveFile(text::StrCat(directory_, "/", name)));
  }
  // A process that was killed may have renamed a generation without syncing the directory.
  return fs_.SyncDirectory(directory_);
}

absl::Status CheckpointStore::Write(uint64_t position, std::string_view bytes) {
  const std::string temporary = text::StrCat(directory_, "/", position, kTemporarySuffix);
  const absl::Status stale = fs_.RemoveFile(temporary);
  if (!stale.ok() && !absl::IsNotFound(stale)) return stale;
  absl::Status status = WriteAndSync(fs_, temporary, bytes);
  if (status.ok()) status = CheckContent(fs_, temporary, bytes);
  if (status.ok()) status = fs_.Rename(temporary, PathOf(position));
  if (!status.ok()) {
    // Gives the space back at once; if that fails too, the next Write or start does it.
    fs_.RemoveFile(temporary).IgnoreError();
    return status;
  }
  return fs_.SyncDirectory(directory_);
}

absl::StatusOr<std::vector<uint64_t>> CheckpointStore::List() {
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.ListDirectory(directory_));
  std::vector<uint64_t> positions;
  for (const std::string& name : names) {
    if (const std::optional<uint64_t> position = PositionIn(name)) positions.push_back(*position);
  }
  std::sort(positions.begin(), positions.end());
  return positions;
}

absl::StatusOr<std::string> CheckpointStore::Read(uint64_t position) {
  return fs_.ReadFile(PathOf(position));
}

absl::Status CheckpointStore::SetAside(uint64_t position) {
  // An earlier damaged file of the same position is kept too: it may be all that is left of
  // something.
  std::string target = text::StrCat(PathOf(position), ".damaged");
  for (uint32_t i = 2; fs_.FileSize(target).ok(); ++i) {
    target = text::StrCat(PathOf(position), ".damaged.", i);
  }
  TALLY_RETURN_IF_ERROR(fs_.Rename(PathOf(position), target));
  return fs_.SyncDirectory(directory_);
}

absl::Status CheckpointStore::Prune(size_t keep, const std::vector<uint64_t>& pinned) {
  TALLY_ASSIGN_OR_RETURN(const std::vector<uint64_t> positions, List());
  const size_t kept = std::max<size_t>(keep, 1);
  bool removed = false;
  for (size_t i = 0; i + kept < positions.size(); ++i) {
    if (std::find(pinned.begin(), pinned.end(), positions[i]) != pinned.end()) continue;
    TALLY_RETURN_IF_ERROR(fs_.RemoveFile(PathOf(positions[i])));
    removed = true;
  }
  return removed ? fs_.SyncDirectory(directory_) : absl::OkStatus();
}

}  // namespace tally::storage
