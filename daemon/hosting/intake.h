// The way into the journal: one writer at a time, and from there to disk and to the trainer.

#ifndef TALLY_DAEMON_HOSTING_INTAKE_H_
#define TALLY_DAEMON_HOSTING_INTAKE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/host_context.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/journal.h"

namespace tally::hosting {

// Thread-safe. Lock order: sync_mutex_, append_mutex_, then the small locks of HostState and
// TrainerInbox. An error of the journal that is not "no space" fails the host for good.
class Intake {
 public:
  // `on_append` is called after each record, with locks held: it wakes the committer and no more.
  Intake(HostContext& host, std::function<void()> on_append);

  // Recovery hands over the journal; before that every call is refused.
  void Open(std::unique_ptr<storage::Journal> journal);
  // Lets go of the journal's files.
  void Close();

  absl::StatusOr<AppendResult> Append(storage::SamplesRecord&& packet);
  // Where a record lies in the journal.
  struct Place {
    uint64_t position = 0;
    uint64_t segment = 0;  // first position of its segment
  };

  // `answer` will get the result of the flush.
  absl::StatusOr<Place> AppendFlush(std::shared_ptr<FlushAnswer> answer);

  // The trainer's records. A digest record comes back to the trainer in its place of the order; a
  // rollback record does not. RESOURCE_EXHAUSTED: nothing was kept.
  absl::StatusOr<Place> AppendDigest(storage::DigestRecord digest);
  absl::StatusOr<Place> AppendRollback(storage::RollbackRecord rollback);

  // Makes everything appended so far durable. Any error is final.
  absl::Status Sync();

  // The disk can no longer be trusted: fails the host for good and says so. Holds no lock
  // meanwhile.
  void Break(const absl::Status& cause);

  // Deletes segments that hold nothing behind `through_position`. Returns the first position left.
  absl::StatusOr<uint64_t> Prune(uint64_t through_position);

  // From now on packets and flushes are refused, and none is on its way.
  absl::Status PauseForRollback();
  ModelState PauseForGood();

  // True once after a packet was refused because the journal has reached its limit.
  bool TakeJournalFull() { return journal_full_.exchange(false); }

  // Samples that calibration still waits for, beyond those accepted: before that a flush is
  // refused.
  void SetCalibrationMissing(uint64_t samples);

 private:
  absl::StatusOr<AppendResult> AppendLocked(storage::SamplesRecord&& packet)
      TALLY_REQUIRES(append_mutex_);
  absl::StatusOr<Place> AppendUnlessBroken(storage::RecordBody body,
                                           std::shared_ptr<FlushAnswer> answer, bool to_trainer)
      TALLY_EXCLUDES(append_mutex_);
  absl::Status CheckCalibrated() const TALLY_REQUIRES(append_mutex_);
  absl::Status Write(const storage::RecordBody& body) TALLY_REQUIRES(append_mutex_);
  AppendResult Accept(storage::RecordBody body) TALLY_REQUIRES(append_mutex_);
  absl::StatusOr<Place> AppendControl(storage::RecordBody body, std::shared_ptr<FlushAnswer> answer,
                                      bool to_trainer) TALLY_REQUIRES(append_mutex_);

  HostContext& host_;
  const std::function<void()> on_append_;
  Mutex sync_mutex_;  // one sync at a time
  Mutex append_mutex_;
  // Set and reset under both locks; either is enough to use it.
  std::unique_ptr<storage::Journal> journal_;
  absl::Status broken_ TALLY_GUARDED_BY(append_mutex_);  // first error that is final
  uint64_t calibration_missing_ TALLY_GUARDED_BY(append_mutex_) = 0;
  std::atomic<bool> journal_full_ = false;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_INTAKE_H_
