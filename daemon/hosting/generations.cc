#include "daemon/hosting/generations.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/algorithms/algorithms.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::hosting {
namespace {

// Errors that say "these bytes are not a good generation", as opposed to "this machine cannot hold
// the model".
bool IsDamage(const absl::Status& status) {
  return status.code() == absl::StatusCode::kDataLoss ||
         status.code() == absl::StatusCode::kInvalidArgument;
}

}  // namespace

Generations::Generations(storage::FileSystem& fs, std::string directory, std::string model,
                         WorkerPool* workers)
    : fs_(fs),
      directory_(std::move(directory)),
      model_(std::move(model)),
      workers_(workers),
      store_(fs_, directory_) {}

absl::StatusOr<Generation> Generations::Open(std::vector<std::string>& warnings) {
  TALLY_RETURN_IF_ERROR(store_.RemoveLeftovers());
  TALLY_ASSIGN_OR_RETURN(std::vector<uint64_t> positions, store_.List());
  std::optional<Generation> newest;
  for (auto position = positions.rbegin(); position != positions.rend(); ++position) {
    absl::StatusOr<std::string> bytes = store_.Read(*position);
    absl::StatusOr<Generation> generation =
        bytes.ok() ? Decode(*position, *bytes) : absl::StatusOr<Generation>(bytes.status());
    // An older one is only wanted for a rollback; it must not keep a good newer one from working.
    if (newest.has_value() && (!bytes.ok() || !IsDamage(generation.status())) && !generation.ok()) {
      warnings.push_back(text::StrCat("WARNING: ", store_.PathOf(*position),
                                      " cannot be used: ", generation.status().message()));
      continue;
    }
    TALLY_RETURN_IF_ERROR(bytes.status());
    if (generation.ok() && newest.has_value() &&
        CanonicalSpec(generation->learner->spec()) != CanonicalSpec(newest->learner->spec())) {
      generation = absl::DataLossError("its spec differs from that of the newest generation");
    }
    if (!generation.ok()) {
      if (!IsDamage(generation.status())) return generation.status();
      TALLY_RETURN_IF_ERROR(store_.SetAside(*position));
      warnings.push_back(text::StrCat(
          "WARNING: ", store_.PathOf(*position),
          " was damaged and set aside (renamed to .damaged): ", generation.status().message()));
      continue;
    }
    {
      MutexLock lock(mutex_);
      index_[*position] = generation->info;
    }
    if (!newest.has_value()) newest = *std::move(generation);
  }
  if (!newest.has_value()) {
    return absl::DataLossError(text::StrCat(
        "no generation in ", directory_, " verifies", warnings.empty() ? "" : "; ",
        warnings.empty() ? "" : warnings.front(),
        "; restore one from a backup, or delete the model and import an exported checkpoint"));
  }
  return *std::move(newest);
}

absl::StatusOr<Generation> Generations::Load(uint64_t position) {
  if (!Find(position).has_value()) return NotKept(position);
  TALLY_ASSIGN_OR_RETURN(const std::string bytes, store_.Read(position));
  return Decode(position, bytes);
}

absl::StatusOr<Generation> Generations::Decode(uint64_t position, std::string_view bytes) const {
  // A model directory that was copied under another name serves under that name.
  const LearnerFactory factory = [this](const ModelSpec& spec) {
    ModelSpec named = spec;
    named.name = model_;
    return MakeLearner(named, {.workers = workers_});
  };
  absl::StatusOr<Checkpoint> checkpoint = DecodeCheckpoint(bytes, factory);
  if (!checkpoint.ok()) {
    return absl::Status(checkpoint.status().code(),
                        text::StrCat(store_.PathOf(position), ": ", checkpoint.status().message()));
  }
  Generation generation;
  TALLY_ASSIGN_OR_RETURN(generation.start, DecodeStart(checkpoint->annotations));
  if (generation.start.position != position) {
    return absl::DataLossError(text::StrCat(store_.PathOf(position), ": holds position ",
                                            generation.start.position, ", not ", position,
                                            " as its name says"));
  }
  generation.learner = std::move(checkpoint->learner);
  generation.info = {position, generation.learner->step(), checkpoint->state_digest,
                     checkpoint->file_digest, bytes.size()};
  return generation;
}

absl::StatusOr<CheckpointInfo> Generations::Write(TrainingLane& lane,
                                                  const std::string& state_digest) {
  const LaneStart here = lane.Here();
  const std::string bytes = EncodeCheckpoint(lane.learner(), EncodeStart(here));
  CheckpointInfo info = {here.position, lane.learner().step(), state_digest, "", bytes.size()};
  TALLY_ASSIGN_OR_RETURN(info.file_digest, FileDigestOf(bytes));
  TALLY_RETURN_IF_ERROR(store_.Write(here.position, bytes));
  MutexLock lock(mutex_);
  index_[here.position] = info;
  return info;
}

absl::StatusOr<uint64_t> Generations::Prune(uint32_t keep, bool keep_origin,
                                            const std::vector<RollbackMark>& rollbacks) {
  std::vector<uint64_t> positions;
  for (const CheckpointInfo& info : List()) positions.push_back(info.position);
  if (positions.empty()) return 0;
  const size_t kept = std::min<size_t>(std::max<uint32_t>(keep, 1), positions.size());
  uint64_t oldest_fallback = positions[positions.size() - kept];
  if (keep_origin) oldest_fallback = positions.front();
  std::vector<uint64_t> pinned = {oldest_fallback};
  for (const RollbackMark& mark : rollbacks) {
    if (mark.position > oldest_fallback) pinned.push_back(mark.target_position);
  }
  TALLY_RETURN_IF_ERROR(store_.Prune(kept, pinned));
  TALLY_ASSIGN_OR_RETURN(const std::vector<uint64_t> left, store_.List());
  MutexLock lock(mutex_);
  std::erase_if(index_, [&](const auto& entry) {
    return !std::binary_search(left.begin(), left.end(), entry.first);
  });
  return oldest_fallback;
}

std::vector<CheckpointInfo> Generations::List() const {
  MutexLock lock(mutex_);
  std::vector<CheckpointInfo> list;
  list.reserve(index_.size());
  for (const auto& [position, info] : index_) list.push_back(info);
  return list;
}

std::optional<CheckpointInfo> Generations::Find(uint64_t position) const {
  MutexLock lock(mutex_);
  const auto found = index_.find(position);
  return found == index_.end() ? std::nullopt : std::make_optional(found->second);
}

std::optional<CheckpointInfo> Generations::Newest() const {
  MutexLock lock(mutex_);
  return index_.empty() ? std::nullopt : std::make_optional(index_.rbegin()->second);
}

absl::StatusOr<std::string> Generations::Read(uint64_t position) const {
  if (!Find(position).has_value()) return NotKept(position);
  storage::CheckpointStore reader(fs_, directory_);  // a store is for one thread at a time
  absl::StatusOr<std::string> bytes = reader.Read(position);
  // It may have been pruned since.
  if (absl::IsNotFound(bytes.status())) return NotKept(position);
  return bytes;
}

absl::Status Generations::NotKept(uint64_t position) const {
  std::string kept;
  for (const CheckpointInfo& info : List()) {
    text::StrAppend(&kept, kept.empty() ? "" : ", ", info.position);
  }
  return absl::NotFoundError(text::StrCat("model \"", model_, "\" keeps no generation at position ",
                                          position, "; it keeps ", kept.empty() ? "none" : kept));
}

}  // namespace tally::hosting
