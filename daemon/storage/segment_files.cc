#include "daemon/storage/segment_files.h"

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/whole_file.h"

namespace tally::storage {
namespace {

constexpr size_t kPositionDigits = 20;
constexpr std::string_view kSuffix = ".journal";
constexpr std::string_view kUnsyncedSuffix = ".journal.unsynced";
constexpr std::string_view kEndSuffix = ".audit";

// The number that a name begins with; nothing if it has not that many digits or exceeds 64 bits.
std::optional<uint64_t> PositionIn(std::string_view name) {
  if (name.size() < kPositionDigits) return std::nullopt;
  uint64_t position = 0;
  for (const char digit : name.substr(0, kPositionDigits)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    const uint64_t value = static_cast<uint64_t>(digit - '0');
    if (position > (UINT64_MAX - value) / 10) return std::nullopt;
    position = position * 10 + value;
  }
  return position;
}

std::string PathOf(const std::string& directory, uint64_t first_position, std::string_view suffix) {
  const std::string digits = text::StrCat(first_position);
  return text::StrCat(directory, "/", std::string(kPositionDigits - digits.size(), '0'), digits,
                      suffix);
}

}  // namespace

std::string SegmentPath(const std::string& directory, uint64_t first_position) {
  return PathOf(directory, first_position, kSuffix);
}

std::string UnsyncedSegmentPath(const std::string& directory, uint64_t first_position) {
  return PathOf(directory, first_position, kUnsyncedSuffix);
}

std::string SegmentEndPath(const std::string& directory, uint64_t first_position) {
  return PathOf(directory, first_position, kEndSuffix);
}

std::optional<uint64_t> SegmentOfEndName(std::string_view name) {
  const std::optional<uint64_t> position = PositionIn(name);
  if (!position) return std::nullopt;
  const std::string_view suffix = name.substr(kPositionDigits);
  const bool is_end = suffix == kEndSuffix || suffix == text::StrCat(kEndSuffix, kUnfinishedSuffix);
  return is_end ? position : std::nullopt;
}

absl::StatusOr<std::vector<SegmentFile>> ListSegments(FileSystem& fs,
                                                      const std::string& directory) {
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.ListDirectory(directory));
  std::vector<SegmentFile> segments;
  for (const std::string_view name : names) {  // sorted, and so are the fixed-width numbers
    const std::optional<uint64_t> position = PositionIn(name);
    if (!position) continue;
    const std::string_view suffix = name.substr(kPositionDigits);
    if (suffix != kSuffix && suffix != kUnsyncedSuffix) continue;
    segments.push_back({*position, suffix == kUnsyncedSuffix, text::StrCat(directory, "/", name)});
  }
  return segments;
}

}  // namespace tally::storage
