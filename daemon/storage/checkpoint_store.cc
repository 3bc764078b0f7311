#include "daemon/storage/checkpoint_store.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/whole_file.h"

namespace tally::storage {
namespace {

constexpr std::string_view kSuffix = ".safetensors";

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

}  // namespace

CheckpointStore::CheckpointStore(FileSystem& fs, std::string directory)
    : fs_(fs), directory_(std::move(directory)) {}

std::string CheckpointStore::PathOf(uint64_t position) const {
  return text::StrCat(directory_, "/", position, kSuffix);
}

absl::Status CheckpointStore::RemoveLeftovers() {
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.ListDirectory(directory_));
  for (const std::string& name : names) {
    if (!EndsWith(name, text::StrCat(kSuffix, kUnfinishedSuffix))) continue;
    TALLY_RETURN_IF_ERROR(fs_.RemoveFile(text::StrCat(directory_, "/", name)));
  }
  // A process that was killed may have renamed a generation without syncing the directory.
  return fs_.SyncDirectory(directory_);
}

absl::Status CheckpointStore::Write(uint64_t position, std::string_view bytes) {
  TALLY_RETURN_IF_ERROR(WriteWholeFile(fs_, PathOf(position), bytes));
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
  TALLY_RETURN_IF_ERROR(SetFileAside(fs_, PathOf(position)));
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
