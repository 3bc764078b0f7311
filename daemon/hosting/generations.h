// The kept generations of one model: files, an index of them, and which of them must stay.

#ifndef TALLY_DAEMON_HOSTING_GENERATIONS_H_
#define TALLY_DAEMON_HOSTING_GENERATIONS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/checkpoint/checkpoint.h"
#include "daemon/hosting/journal_survey.h"
#include "daemon/hosting/model_host.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/checkpoint_store.h"
#include "daemon/storage/file_system.h"

namespace tally::hosting {

// Everything of a generation that verified.
struct Generation {
  CheckpointInfo info;
  std::unique_ptr<Learner> learner;
  LaneStart start;
};

// The trainer thread calls the methods that touch files; List, Find and Read may be called from any
// thread.
class Generations {
 public:
  // The learners that are read share out their work to `workers`, which may be null.
  Generations(storage::FileSystem& fs, std::string directory, std::string model,
              WorkerPool* workers);

  // Removes leftovers, verifies every generation, sets damaged ones aside and returns the newest
  // good one; `warnings` gets a sentence for each that was set aside. DATA_LOSS if none is left.
  absl::StatusOr<Generation> Open(std::vector<std::string>& warnings);

  // Reads and verifies one. NOT_FOUND if it is not kept.
  absl::StatusOr<Generation> Load(uint64_t position);

  // Writes the state of `lane` as of its trained position.
  absl::StatusOr<CheckpointInfo> Write(TrainingLane& lane, const std::string& state_digest);

  // Deletes all but the newest `keep` and those that `rollbacks` need. With `keep_origin` the
  // oldest one stays too: the start of every replay of a journal that is kept whole. Returns the
  // position through which the journal is no longer needed for recovery, `fallbacks` included.
  absl::StatusOr<uint64_t> Prune(uint32_t keep, bool keep_origin,
                                 const std::vector<RollbackMark>& rollbacks);

  std::vector<CheckpointInfo> List() const;  // oldest first
  std::optional<CheckpointInfo> Find(uint64_t position) const;
  std::optional<CheckpointInfo> Newest() const;
  absl::StatusOr<std::string> Read(uint64_t position) const;

 private:
  absl::StatusOr<Generation> Decode(uint64_t position, std::string_view bytes) const;
  absl::Status NotKept(uint64_t position) const;

  storage::FileSystem& fs_;
  const std::string directory_;
  const std::string model_;
  WorkerPool* const workers_;
  storage::CheckpointStore store_;
  mutable Mutex mutex_;
  std::map<uint64_t, CheckpointInfo> index_ TALLY_GUARDED_BY(mutex_);
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_GENERATIONS_H_
