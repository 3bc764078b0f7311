#include "tests/support/audit.h"

#include <algorithm>
#include <map>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/storage/checkpoint_store.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/model_directory.h"
#include "daemon/storage/record_codec.h"
#include "daemon/storage/segment_files.h"

namespace tally::testing {
namespace {

class Auditor {
 public:
  Auditor(storage::FileSystem& fs, const std::string& state_dir, const std::string& model)
      : fs_(fs),
        journal_(storage::JournalPath(state_dir, model)),
        checkpoints_(fs, storage::CheckpointsPath(state_dir, model)) {}

  Audit Run() {
    ReadGenerations();
    ReadSegments();
    ComputeHeads();
    for (const auto& [position, head] : generations_) {
      if (position >= begin_)
        CheckHead(checkpoints_.PathOf(position), position, head, audit_.generations);
    }
    for (const auto& [first, last] : ends_) CheckEnd(first, last);
    CheckNames();
    return audit_;
  }

 private:
  void Find(std::string finding) { audit_.findings.push_back(std::move(finding)); }

  void ReadGenerations() {
    const std::vector<uint64_t> positions = checkpoints_.List().value();
    for (const uint64_t position : positions) {
      const auto checkpoint = DecodeCheckpoint(
          *checkpoints_.Read(position), [](const ModelSpec& spec) { return MakeLearner(spec); });
      const auto start = hosting::DecodeStart(checkpoint.value().annotations);
      generations_[position] = start.value().chain_head;
    }
  }

  void ReadSegments() {
    const std::vector<storage::SegmentFile> segments = storage::ListSegments(fs_, journal_).value();
    for (size_t i = 0; i + 1 < segments.size(); ++i) {
      ends_[segments[i].first_position] = segments[i + 1].first_position - 1;
    }
    const uint64_t oldest = segments.empty() ? 1 : segments[0].first_position;
    const auto base = generations_.lower_bound(oldest - 1);
    if (base == generations_.end()) return Find("no generation continues into the journal");
    begin_ = base->first;
    heads_[begin_] = base->second;
  }

  // The heads after every position that a generation or the end of a segment names.
  void ComputeHeads() {
    if (heads_.empty()) return;
    for (const auto& [position, head] : generations_) wanted_.push_back(position);
    for (const auto& [first, last] : ends_) wanted_.push_back(last);
    std::sort(wanted_.begin(), wanted_.end());
    std::string head = heads_[begin_];
    uint64_t at = begin_;
    const auto tail =
        storage::ScanJournal(fs_, journal_, begin_ + 1, [&](const storage::Record& record) {
          const uint64_t last = record.first_position + storage::PositionCount(record.body) - 1;
          for (const uint64_t stop : wanted_) {
            if (stop <= at || stop >= last) continue;
            head = storage::NextChainHead(head, record, at + 1, stop);
            heads_[stop] = head;
            at = stop;
          }
          head = storage::NextChainHead(head, record, at + 1);
          heads_[last] = head;
          at = last;
          return absl::OkStatus();
        });
    if (!tail.ok()) Find(tail.status().ToString());
  }

  void CheckHead(const std::string& path, uint64_t position, const std::string& stored,
                 uint64_t& right) {
    const auto computed = heads_.find(position);
    if (computed != heads_.end() && computed->second == stored) {
      ++right;
    } else {
      Find(absl::StrCat(path, " has head ", stored, " at position ", position, ", the journal ",
                        computed == heads_.end() ? "none" : computed->second));
    }
  }

  void CheckEnd(uint64_t first, uint64_t last) {
    const std::string path = storage::SegmentEndPath(journal_, first);
    const auto bytes = fs_.ReadFile(path);
    if (!bytes.ok()) {
      if (!generations_.empty() && last < generations_.rbegin()->first) {
        audit_.missing.push_back(first);
      }
      return;
    }
    const auto end = storage::DecodeSegmentEnd(*bytes);
    if (!end.ok()) return Find(absl::StrCat(path, ": ", end.status().ToString()));
    if (end->first_position != first || end->last_position != last) {
      return Find(absl::StrCat(path, ": positions ", end->first_position, " to ",
                               end->last_position, ", the segment has ", first, " to ", last));
    }
    if (last >= begin_) CheckHead(path, last, end->chain_head, audit_.ends);
  }

  // Nothing half-written, and no end without its segment.
  void CheckNames() {
    const std::vector<std::string> names = fs_.ListDirectory(journal_).value();
    for (const std::string& name : names) {
      const std::optional<uint64_t> segment = storage::SegmentOfEndName(name);
      if (!segment) continue;
      if (absl::EndsWith(name, ".new") || !ends_.contains(*segment)) Find("left over: " + name);
    }
  }

  storage::FileSystem& fs_;
  const std::string journal_;
  storage::CheckpointStore checkpoints_;
  std::map<uint64_t, std::string> generations_;  // heads by position
  std::map<uint64_t, uint64_t> ends_;            // last positions of closed segments by first ones
  uint64_t begin_ = 0;
  std::vector<uint64_t> wanted_;
  std::map<uint64_t, std::string> heads_;
  Audit audit_;
};

}  // namespace

Audit AuditModel(storage::FileSystem& fs, const std::string& state_dir, const std::string& model) {
  return Auditor(fs, state_dir, model).Run();
}

}  // namespace tally::testing
