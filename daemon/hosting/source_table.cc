#include "daemon/hosting/source_table.h"

#include <algorithm>
#include <utility>

#include "core/arithmetic/check.h"
#include "core/text/strings.h"
#include "daemon/hosting/annotation_reader.h"

namespace tally::hosting {

std::string EncodeSequences(const SequenceMap& sequences) {
  std::string text;
  for (const auto& [source, through] : sequences) {
    text::StrAppend(&text, text.empty() ? "" : " ", source, "=", through);
  }
  return text;
}

absl::StatusOr<SequenceMap> DecodeSequences(std::string_view text) {
  SequenceMap sequences;
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    uint64_t through = 0;
    if (equals == std::string_view::npos || equals == 0 ||
        !ParseDecimal(item.substr(equals + 1), through) ||
        !sequences.emplace(item.substr(0, equals), through).second) {
      return absl::DataLossError(text::StrCat("source table of the checkpoint: \"", item,
                                              "\", expected source=sequence, each source once"));
    }
  }
  return sequences;
}

absl::StatusOr<uint32_t> SourceTable::CountKept(std::string_view source, uint64_t first_sequence,
                                                uint32_t count, uint32_t sources_max) const {
  const auto found = entries_.find(source);
  if (found == entries_.end() && entries_.size() >= sources_max) {
    return absl::ResourceExhaustedError(
        text::StrCat("source \"", source, "\" is one too many: the model keeps ", entries_.size(),
                     " sources, limits.sources is ", sources_max,
                     "; use one of the existing sources or raise the limit"));
  }
  const uint64_t kept = found == entries_.end() ? 0 : found->second.progress.accepted_through;
  if (first_sequence > kept + 1) {
    return absl::OutOfRangeError(text::StrCat("source \"", source, "\": expected sequence ",
                                              kept + 1, ", got ", first_sequence));
  }
  return static_cast<uint32_t>(std::min<uint64_t>(kept + 1 - first_sequence, count));
}

void SourceTable::Accept(const std::string& source, uint64_t through) {
  const auto entry = entries_.try_emplace(source).first;
  TALLY_CHECK(through > entry->second.progress.accepted_through);
  entry->second.progress.accepted_through = through;
  if (!std::exchange(entry->second.listed, true)) unsynced_.push_back(entry);
}

std::vector<SourceSequence> SourceTable::BeginSync() {
  std::vector<SourceSequence> begun;
  begun.reserve(unsynced_.size());
  for (const Entries::iterator entry : unsynced_) {
    entry->second.listed = false;
    begun.push_back({entry->first, entry->second.progress.accepted_through});
  }
  unsynced_.clear();
  return begun;
}

void SourceTable::EndSync(const std::vector<SourceSequence>& synced) {
  for (const SourceSequence& reached : synced) {
    uint64_t& durable = entries_.find(reached.source)->second.progress.durable_through;
    durable = std::max(durable, reached.through);
  }
}

void SourceTable::Trained(std::string_view source, uint64_t through) {
  const auto entry = entries_.find(source);
  TALLY_CHECK(entry != entries_.end());
  entry->second.progress.trained_through = through;
}

void SourceTable::Restore(const SequenceMap& accepted, const SequenceMap& trained) {
  entries_.clear();
  unsynced_.clear();
  for (const auto& [source, through] : accepted) {
    SourceProgress& progress = entries_[source].progress;
    progress.accepted_through = through;
    progress.durable_through = through;
  }
  for (const auto& [source, through] : trained) Trained(source, through);
}

SourceProgress SourceTable::Progress(std::string_view source) const {
  const auto found = entries_.find(source);
  return found == entries_.end() ? SourceProgress{} : found->second.progress;
}

}  // namespace tally::hosting
