// One model: journal -> trainer -> snapshot.
//
// Callers append packets of samples; the committer thread makes them durable; the trainer thread
// learns them in journal order and publishes immutable snapshots that inference reads. The state is
// a pure function of the spec and the journal prefix (design: promises P2, P3, P5).

#ifndef TALLY_DAEMON_HOSTING_MODEL_HOST_H_
#define TALLY_DAEMON_HOSTING_MODEL_HOST_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/learner/learner.h"
#include "core/parallel/worker_pool.h"
#include "daemon/storage/clock.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/record.h"

namespace tally::hosting {

enum class ModelState : uint8_t { kCreating, kCalibrating, kReplaying, kReady, kDraining, kFailed };
std::string_view ModelStateName(ModelState state);  // "READY", ...

struct HostOptions {
  storage::JournalOptions journal;
  uint64_t commit_interval_ms = 0;      // lengthens the wait between two syncs
  uint64_t queue_bytes_max = 1u << 20;  // rows appended but not yet trained, kept in memory
  uint64_t digest_interval_steps = 1000;
  uint64_t publish_interval_steps = 64;  // a snapshot at least so often while training ...
  uint64_t publish_interval_ms = 100;    // ... and at most so long after a step
  uint64_t checkpoint_replay_ms =
      10000;  // checkpoint when replaying what follows would take so long ...
  uint64_t checkpoint_interval_ms = 60000;  // ... but not more often than this (flash wear)
  uint32_t keep_generations = 3;
  bool retain_all = false;  // keep all journal segments
  uint32_t sources_max = 1024;
  WorkerPool* workers = nullptr;  // borrowed, for all learners; null: each on its own thread alone
};

// Sequences of one source; 0: none yet.
struct SourceProgress {
  uint64_t accepted_through = 0;
  uint64_t durable_through = 0;
  uint64_t trained_through = 0;
};

struct Prequential {
  uint64_t seen = 0;
  uint64_t correct = 0;
  uint32_t recent_seen = 0;
  uint32_t recent_permille = 0;
};

struct DigestPoint {
  uint64_t step = 0;
  std::string state_digest;  // "" before the first point
};

// An immutable model for inference. `spec` points into the host's life-long spec.
struct Snapshot {
  std::shared_ptr<const Predictor> predictor;
  std::shared_ptr<const ModelSpec> spec;
  uint64_t position = 0;  // model_version
  uint64_t step = 0;
  std::string state_digest;  // "" unless `step` is a digest point
};

struct CheckpointInfo {
  uint64_t position = 0;
  uint64_t step = 0;
  std::string state_digest;
  std::string file_digest;
  uint64_t size_bytes = 0;
};

struct HostStatus {
  ModelState state = ModelState::kCreating;
  std::string detail;
  // Of state FAILED: DATA_LOSS if damage is the cause, else FAILED_PRECONDITION.
  absl::StatusCode failure = absl::StatusCode::kFailedPrecondition;
  uint64_t step = 0;
  uint64_t trained_position = 0;
  uint64_t accepted_position = 0;
  uint64_t durable_position = 0;
  Prequential prequential;
  DigestPoint digest_point;
  std::vector<LayerCounters> layers;
  uint64_t journal_bytes = 0;
  uint64_t memory_bytes = 0;  // admitted for it; 0 before the spec is read
  uint32_t sources = 0;
};

struct AppendResult {
  uint32_t accepted = 0;  // rows that were new
  uint32_t skipped = 0;   // rows kept before
  uint64_t position = 0;  // of the last row accepted, or the present end of the journal
};

// Woken after accepted, durable or trained positions, or the state, have moved. Called from the
// host's threads without its locks; must return quickly and not call AddListener or RemoveListener.
class ProgressListener {
 public:
  virtual ~ProgressListener() = default;
  virtual void OnProgress() = 0;
};

// Deadlines are absolute Clock::MonotonicNs() values; past them a waiting call returns
// DEADLINE_EXCEEDED. State x call -> status code is the table in proto/README.md: CREATING,
// REPLAYING and DRAINING answer UNAVAILABLE, FAILED answers FAILED_PRECONDITION (DATA_LOSS if
// damage is the cause), CALIBRATING answers FAILED_PRECONDITION "calibrating k/N" to Flush and has
// no snapshot.
class ModelHost {
 public:
  // Begins recovery on the trainer thread and returns at once, in state REPLAYING. All damage is
  // reported by status(), as state FAILED; only a lock that cannot be taken is an error here. `fs`
  // and `clock` outlive it.
  static absl::StatusOr<std::unique_ptr<ModelHost>> Open(storage::FileSystem& fs,
                                                         storage::Clock& clock,
                                                         const std::string& state_dir,
                                                         const std::string& name,
                                                         const HostOptions& options);
  // Stops both threads without checkpoint or flush (like kill -9, but orderly).
  virtual ~ModelHost() = default;

  virtual const std::string& name() const = 0;
  // Null until recovery has read it.
  virtual std::shared_ptr<const ModelSpec> spec() const = 0;
  virtual HostStatus status() const = 0;
  // Of the status, without copying the rest.
  virtual ModelState state() const = 0;

  // Keeps the new rows of a validated packet (row lengths and labels fit the spec) in the journal.
  // Never waits for the disk's sync or the trainer. Errors: OUT_OF_RANGE with the expected
  // sequence; RESOURCE_EXHAUSTED when the training queue, the journal or the source table is full
  // or the disk has no space; states as above. On error `packet` is as before, so that the caller
  // may try again.
  virtual absl::StatusOr<AppendResult> Append(storage::SamplesRecord&& packet) = 0;
  // Whether a packet of so many bytes would find room in the training queue now.
  // If not, listeners are woken once half of the queue is free.
  virtual bool HasRoom(uint64_t bytes) = 0;
  enum class SyncWish : uint8_t {
    kNow,   // as soon as the sync under way has returned
    kSoon,  // within kSyncSoonMs, so that packets which follow each other share a sync
  };
  static constexpr uint64_t kSyncSoonMs = 4;
  // Asks the committer to make everything appended durable. Packets nobody asks for are synced with
  // the next group, at the latest after one second.
  virtual void RequestSync(SyncWish wish) = 0;

  virtual SourceProgress source(const std::string& source) const = 0;

  virtual absl::Status WaitDurable(uint64_t position, int64_t deadline_ns) = 0;
  virtual absl::Status WaitTrained(uint64_t position, int64_t deadline_ns) = 0;

  struct FlushResult {
    uint64_t position = 0;
    uint64_t step = 0;
    std::string state_digest;
    Prequential prequential;
  };
  virtual absl::StatusOr<FlushResult> Flush(int64_t deadline_ns) = 0;

  struct DigestResult {
    std::string state_digest;
    uint64_t step = 0;
    uint64_t position = 0;
  };
  virtual absl::StatusOr<DigestResult> Digest(int64_t deadline_ns) = 0;

  virtual absl::StatusOr<CheckpointInfo> Checkpoint(int64_t deadline_ns) = 0;
  virtual absl::StatusOr<std::vector<CheckpointInfo>> ListCheckpoints() = 0;
  virtual absl::StatusOr<std::string> ReadCheckpoint(
      uint64_t position) = 0;  // NOT_FOUND if not kept
  virtual absl::StatusOr<CheckpointInfo> Rollback(uint64_t position, int64_t deadline_ns) = 0;

  // Null while there is none (CREATING, CALIBRATING, REPLAYING, or FAILED without a verified
  // generation).
  virtual std::shared_ptr<const Snapshot> snapshot() const = 0;

  virtual void AddListener(ProgressListener* listener) = 0;
  // After it returns, the listener is not called any more.
  virtual void RemoveListener(ProgressListener* listener) = 0;

  // Refuses new packets, finishes the mini-batch at work, syncs, and checkpoints. Never flushes;
  // what is queued is in the journal, and the next start trains it.
  virtual absl::Status Drain(int64_t deadline_ns) = 0;

  // Counts trainer progress for the watchdog: rises with every step, and is idle() when nothing is
  // waiting.
  virtual uint64_t heartbeat() const = 0;
  virtual bool idle() const = 0;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_MODEL_HOST_H_
