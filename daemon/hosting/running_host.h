// The one implementation of ModelHost: wires state, intake, committer and trainer together.

#ifndef TALLY_DAEMON_HOSTING_RUNNING_HOST_H_
#define TALLY_DAEMON_HOSTING_RUNNING_HOST_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/committer.h"
#include "daemon/hosting/generations.h"
#include "daemon/hosting/host_context.h"
#include "daemon/hosting/intake.h"
#include "daemon/hosting/model_host.h"
#include "daemon/hosting/trainer.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/file_system.h"

namespace tally::hosting {

// Two threads of its own: the trainer and the committer. All else happens on the callers' threads.
class RunningHost final : public ModelHost {
 public:
  // Like ModelHost::Open, with hooks.
  static absl::StatusOr<std::unique_ptr<RunningHost>> Open(
      storage::FileSystem& fs, storage::Clock& clock, const std::string& state_dir,
      const std::string& name, const HostOptions& options, HostHooks hooks);
  // A host that could not be opened: in state FAILED from the start, so that it is listed and says
  // why.
  static std::unique_ptr<RunningHost> Failed(storage::FileSystem& fs, storage::Clock& clock,
                                             const std::string& state_dir, const std::string& name,
                                             const HostOptions& options, const absl::Status& cause);
  ~RunningHost() override;

  // Before the model's directory is removed: stops the threads and closes the files. From then on
  // every call answers NOT_FOUND; snapshots handed out stay valid.
  void Retire();
  // Until recovery is over; false if the deadline passed before.
  bool WaitRecovered(int64_t deadline_ns) { return host_.state.WaitRecovered(deadline_ns); }
  // Why it is FAILED; OK if it is not.
  absl::Status failure() const { return host_.state.cause(); }
  // Whether the trainer waits for the disk.
  bool saving() const { return host_.saving; }
  void SetSourcesMax(uint32_t sources_max) { host_.sources_max = sources_max; }

  const std::string& name() const override { return host_.name; }
  std::shared_ptr<const ModelSpec> spec() const override { return host_.state.spec(); }
  HostStatus status() const override { return host_.state.status(); }
  ModelState state() const override { return host_.state.state(); }
  absl::StatusOr<AppendResult> Append(storage::SamplesRecord&& packet) override;
  bool HasRoom(uint64_t bytes) override { return host_.inbox.HasRoom(bytes); }
  void RequestSync(SyncWish wish) override;
  SourceProgress source(const std::string& source) const override;
  absl::Status WaitDurable(uint64_t position, int64_t deadline_ns) override;
  absl::Status WaitTrained(uint64_t position, int64_t deadline_ns) override;
  absl::StatusOr<FlushResult> Flush(int64_t deadline_ns) override;
  absl::StatusOr<DigestResult> Digest(int64_t deadline_ns) override;
  absl::StatusOr<CheckpointInfo> Checkpoint(int64_t deadline_ns) override;
  absl::StatusOr<std::vector<CheckpointInfo>> ListCheckpoints() override;
  absl::StatusOr<std::string> ReadCheckpoint(uint64_t position) override;
  absl::StatusOr<CheckpointInfo> Rollback(uint64_t position, int64_t deadline_ns) override;
  std::shared_ptr<const Snapshot> snapshot() const override { return host_.state.snapshot(); }
  void AddListener(ProgressListener* listener) override { host_.listeners.Add(listener); }
  void RemoveListener(ProgressListener* listener) override { host_.listeners.Remove(listener); }
  absl::Status Drain(int64_t deadline_ns) override;
  uint64_t heartbeat() const override { return host_.heartbeat; }
  bool idle() const override { return host_.inbox.idle(); }

 private:
  RunningHost(storage::FileSystem& fs, storage::Clock& clock, const std::string& state_dir,
              const std::string& name, const HostOptions& options, HostHooks hooks);

  void Start();
  void StopThreads(const absl::Status& why);
  bool SyncAndTell();

  // Runs `work` on the trainer thread and waits for its answer. `abandoned`, if given, tells
  // whether the deadline passed before the work began, which then never does.
  template <typename T>
  absl::StatusOr<T> OnTrainer(bool after_records, int64_t deadline_ns,
                              std::function<absl::StatusOr<T>()> work, bool* abandoned = nullptr);
  absl::Status CheckDeadline(int64_t deadline_ns) const;

  HostContext host_;
  std::unique_ptr<storage::FileLock> lock_;
  Generations generations_;
  Committer committer_;
  Intake intake_;
  Trainer trainer_;
  Mutex stop_mutex_;  // Retire and the destructor
  std::thread trainer_thread_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_RUNNING_HOST_H_
