// What everyone may see of a host: its state, how far it is, its present snapshot.

#ifndef TALLY_DAEMON_HOSTING_HOST_STATE_H_
#define TALLY_DAEMON_HOSTING_HOST_STATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/host_event.h"
#include "daemon/hosting/model_host.h"
#include "daemon/hosting/source_table.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/clock.h"

namespace tally::hosting {

// Called without locks of the host, from any thread, and in the order in which the events happened.
struct HostHooks {
  std::function<void(bool serving)> on_serving;             // after each change; begins as false
  std::function<void(const absl::Status& cause)> on_fatal;  // the disk can no longer be trusted
  EventCallback on_event;                                   // for the log
  // How often models were asked for their snapshots: this one alone, unless hosts share the count.
  std::shared_ptr<std::atomic<uint64_t>> questions = std::make_shared<std::atomic<uint64_t>>(0);
};

// Thread-safe; one small lock that is never held during I/O, training or foreign code.
class HostState {
 public:
  HostState(storage::Clock& clock, std::string name, HostHooks hooks);

  // --- Transitions. FAILED and retired are final. ---

  // Recovery is done: `lane` tells sequences and positions.
  void Recovered(const TrainingLane& lane, uint64_t last_position, DigestPoint point,
                 uint64_t journal_bytes, std::string detail);
  // To DRAINING for a rollback. An error if the host takes no work now.
  absl::Status PauseForRollback();
  // Back from there, to CALIBRATING or READY.
  void Resume();
  // To DRAINING before the end of the process. Returns the state before.
  ModelState PauseForGood();
  // FAILED; the first cause stays. DATA_LOSS stands for damage. With `fatal` the process should
  // end.
  void Fail(const absl::Status& cause, bool fatal);
  // The model was deleted: from now on every call answers NOT_FOUND.
  void Retire();

  // OK if packets and commands are welcome, else the status to answer with.
  absl::Status CheckOpen() const;
  // The same for reading what is kept, which a failed or draining model also allows.
  absl::Status CheckReadable() const;

  // Reports an event to the hooks.
  void Tell(HostEvent::Kind kind, uint64_t step, std::string detail) const;

  // Why the host is FAILED; OK if it is not.
  absl::Status cause() const;
  // OK unless FAILED or deleted.
  absl::Status CheckAlive() const;

  void SetDetail(std::string detail);
  // A sentence in the detail of READY, beside what recovery warned of; "" takes it back.
  void Warn(std::string trouble);

  // --- Intake ---

  // CheckOpen and SourceTable::CountKept in one step.
  absl::StatusOr<uint32_t> Admit(const storage::SamplesRecord& packet, uint32_t sources_max) const;
  // The rows of `source` up to `through` got positions up to `position`.
  void AcceptSamples(const std::string& source, uint64_t through, uint64_t position,
                     uint64_t journal_bytes);
  void AcceptRecord(uint64_t position, uint64_t journal_bytes);
  void SetJournalBytes(uint64_t bytes);

  struct Unsynced {
    uint64_t position = 0;
    std::vector<SourceSequence> sources;
  };
  // What a sync that begins now covers; EndSync makes it durable.
  Unsynced BeginSync();
  void EndSync(const Unsynced& synced);
  bool AllDurable() const;

  // --- Training ---

  void Progress(TrainingLane& lane);
  void SetDigestPoint(DigestPoint point);
  void SetSpec(std::shared_ptr<const ModelSpec> spec, uint64_t memory_bytes);
  void Publish(std::shared_ptr<const Snapshot> snapshot, std::vector<LayerCounters> layers);

  // --- Looking ---

  HostStatus status() const;
  ModelState state() const;
  SourceProgress source(std::string_view name) const;
  std::shared_ptr<const ModelSpec> spec() const;
  std::shared_ptr<const Snapshot> snapshot() const;
  // Snapshots that were asked for, of all models that share the count.
  uint64_t questions() const { return hooks_.questions->load(std::memory_order_relaxed); }
  uint64_t durable_position() const;
  uint64_t journal_bytes() const;

  absl::Status WaitDurable(uint64_t position, int64_t deadline_ns);
  absl::Status WaitTrained(uint64_t position, int64_t deadline_ns);
  // Until the state is neither CREATING nor REPLAYING; false if the deadline passed before.
  bool WaitRecovered(int64_t deadline_ns);

 private:
  absl::Status Refusal() const TALLY_REQUIRES(mutex_);
  std::string ReadyDetail() const TALLY_REQUIRES(mutex_);
  bool Open() const TALLY_REQUIRES(mutex_);
  bool Serving() const TALLY_REQUIRES(mutex_);
  void NoteCalibration(const TrainingLane& lane) TALLY_REQUIRES(mutex_);
  // WaitDurable and WaitTrained differ in what they look at.
  absl::Status WaitFor(const uint64_t HostStatus::*reached, uint64_t position, int64_t deadline_ns);
  // Wakes waiters and tells the hook if serving has changed.
  void Announce();

  storage::Clock& clock_;
  const std::string name_;
  const HostHooks hooks_;

  mutable Mutex mutex_;
  CondVar changed_;
  HostStatus status_ TALLY_GUARDED_BY(mutex_);
  SourceTable sources_ TALLY_GUARDED_BY(mutex_);
  std::shared_ptr<const ModelSpec> spec_ TALLY_GUARDED_BY(mutex_);
  std::shared_ptr<const Snapshot> snapshot_ TALLY_GUARDED_BY(mutex_);
  std::string warnings_ TALLY_GUARDED_BY(mutex_);  // of recovery; they stay
  std::string trouble_ TALLY_GUARDED_BY(mutex_);
  absl::Status cause_ TALLY_GUARDED_BY(mutex_);
  bool calibrating_ TALLY_GUARDED_BY(mutex_) = false;
  bool rolling_back_ TALLY_GUARDED_BY(mutex_) = false;
  bool fatal_reported_ TALLY_GUARDED_BY(mutex_) = false;
  bool retired_ TALLY_GUARDED_BY(mutex_) = false;

  Mutex report_mutex_;  // taken before mutex_, by Announce only; orders the calls of on_serving
  bool reported_serving_ TALLY_GUARDED_BY(report_mutex_) = false;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_HOST_STATE_H_
