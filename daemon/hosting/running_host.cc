#include "daemon/hosting/running_host.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/waiting.h"
#include "daemon/storage/model_directory.h"

namespace tally::hosting {
namespace {

// Limits that only make sense together.
HostOptions Consistent(HostOptions options) {
  // Pruning deletes whole segments: with fewer than four the limit could never be met.
  options.journal.segment_bytes =
      std::min(options.journal.segment_bytes, options.journal.journal_bytes_max / 4);
  options.digest_interval_steps = std::max<uint64_t>(options.digest_interval_steps, 1);
  options.keep_generations = std::max<uint32_t>(options.keep_generations, 1);
  return options;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelHost>> ModelHost::Open(storage::FileSystem& fs,
                                                           storage::Clock& clock,
                                                           const std::string& state_dir,
                                                           const std::string& name,
                                                           const HostOptions& options) {
  return RunningHost::Open(fs, clock, state_dir, name, options, {});
}

absl::StatusOr<std::unique_ptr<RunningHost>> RunningHost::Open(
    storage::FileSystem& fs, storage::Clock& clock, const std::string& state_dir,
    const std::string& name, const HostOptions& options, HostHooks hooks) {
  TALLY_ASSIGN_OR_RETURN(std::unique_ptr<storage::FileLock> lock,
                         fs.Lock(text::StrCat(storage::ModelPath(state_dir, name), "/LOCK"),
                                 text::StrCat("process ", getpid())));
  std::unique_ptr<RunningHost> host(
      new RunningHost(fs, clock, state_dir, name, options, std::move(hooks)));
  host->lock_ = std::move(lock);
  host->Start();
  return host;
}

std::unique_ptr<RunningHost> RunningHost::Failed(storage::FileSystem& fs, storage::Clock& clock,
                                                 const std::string& state_dir,
                                                 const std::string& name,
                                                 const HostOptions& options,
                                                 const absl::Status& cause) {
  std::unique_ptr<RunningHost> host(new RunningHost(fs, clock, state_dir, name, options, {}));
  host->host_.state.Fail(cause, /*fatal=*/false);
  host->host_.inbox.Stop(host->host_.state.CheckAlive());
  return host;
}

RunningHost::RunningHost(storage::FileSystem& fs, storage::Clock& clock,
                         const std::string& state_dir, const std::string& name,
                         const HostOptions& options, HostHooks hooks)
    : host_(fs, clock, state_dir, name, Consistent(options), std::move(hooks)),
      generations_(fs, host_.checkpoints_path, name, options.workers),
      committer_(clock, options.commit_interval_ms, [this] { return SyncAndTell(); }),
      intake_(host_, [this] { committer_.NoteAppended(); }),
      trainer_(host_, intake_, generations_) {}

RunningHost::~RunningHost() { StopThreads(absl::UnavailableError("the daemon is shutting down")); }

void RunningHost::Start() {
  committer_.Start();
  trainer_thread_ = std::thread([this] { trainer_.Run(); });
}

void RunningHost::StopThreads(const absl::Status& why) {
  MutexLock lock(stop_mutex_);
  host_.inbox.Stop(why);
  if (trainer_thread_.joinable()) trainer_thread_.join();
  committer_.Stop();
}

void RunningHost::Retire() {
  host_.state.Retire();
  StopThreads(host_.state.CheckAlive());
  intake_.Close();
  lock_ = nullptr;
  host_.listeners.Notify();
}

bool RunningHost::SyncAndTell() {
  const absl::Status synced = intake_.Sync();
  host_.listeners.Notify();
  return synced.ok();
}

template <typename T>
absl::StatusOr<T> RunningHost::OnTrainer(bool after_records, int64_t deadline_ns,
                                         std::function<absl::StatusOr<T>()> work, bool* abandoned) {
  auto answer = std::make_shared<Answer<T>>();
  host_.inbox.Post({after_records,
                    [answer, work = std::move(work)] {
                      if (answer->Begin()) answer->Give(work());
                    },
                    [answer](const absl::Status& why) { answer->Give(why); }});
  absl::StatusOr<T> result = answer->Wait(host_.clock, deadline_ns);
  if (abandoned != nullptr) *abandoned = answer->abandoned();
  return result;
}

absl::Status RunningHost::CheckDeadline(int64_t deadline_ns) const {
  if (host_.clock.MonotonicNs() < deadline_ns) return absl::OkStatus();
  return absl::DeadlineExceededError("deadline passed; nothing was done");
}

absl::StatusOr<AppendResult> RunningHost::Append(storage::SamplesRecord&& packet) {
  return intake_.Append(std::move(packet));
}

void RunningHost::RequestSync(SyncWish wish) {
  if (!host_.state.AllDurable()) committer_.RequestWithin(wish == SyncWish::kNow ? 0 : kSyncSoonMs);
}

SourceProgress RunningHost::source(const std::string& source) const {
  return host_.state.source(source);
}

absl::Status RunningHost::WaitDurable(uint64_t position, int64_t deadline_ns) {
  return host_.state.WaitDurable(position, deadline_ns);
}

absl::Status RunningHost::WaitTrained(uint64_t position, int64_t deadline_ns) {
  return host_.state.WaitTrained(position, deadline_ns);
}

absl::StatusOr<ModelHost::FlushResult> RunningHost::Flush(int64_t deadline_ns) {
  TALLY_RETURN_IF_ERROR(CheckDeadline(deadline_ns));
  auto answer = std::make_shared<FlushAnswer>();
  answer->Begin();  // once journalled it is done, whether somebody waits or not
  TALLY_ASSIGN_OR_RETURN(const Intake::Place place, intake_.AppendFlush(answer));
  TALLY_ASSIGN_OR_RETURN(FlushResult result, answer->Wait(host_.clock, deadline_ns));
  // Only now, so that one sync also covers the flush's digest record.
  committer_.Request();
  TALLY_RETURN_IF_ERROR(host_.state.WaitDurable(place.position, deadline_ns));
  return result;
}

absl::StatusOr<ModelHost::DigestResult> RunningHost::Digest(int64_t deadline_ns) {
  TALLY_RETURN_IF_ERROR(host_.state.CheckOpen());
  return OnTrainer<DigestResult>(true, deadline_ns, [this] { return trainer_.Digest(); });
}

absl::StatusOr<CheckpointInfo> RunningHost::Checkpoint(int64_t deadline_ns) {
  TALLY_RETURN_IF_ERROR(host_.state.CheckOpen());
  return OnTrainer<CheckpointInfo>(false, deadline_ns, [this] { return trainer_.Checkpoint(); });
}

absl::StatusOr<std::vector<CheckpointInfo>> RunningHost::ListCheckpoints() {
  TALLY_RETURN_IF_ERROR(host_.state.CheckReadable());
  return generations_.List();
}

absl::StatusOr<std::string> RunningHost::ReadCheckpoint(uint64_t position) {
  TALLY_RETURN_IF_ERROR(host_.state.CheckReadable());
  return generations_.Read(position);
}

absl::StatusOr<CheckpointInfo> RunningHost::Rollback(uint64_t position, int64_t deadline_ns) {
  TALLY_RETURN_IF_ERROR(CheckDeadline(deadline_ns));
  TALLY_RETURN_IF_ERROR(intake_.PauseForRollback());
  bool abandoned = false;
  absl::StatusOr<CheckpointInfo> done = OnTrainer<CheckpointInfo>(
      true, deadline_ns, [this, position] { return trainer_.Rollback(position); }, &abandoned);
  if (abandoned) host_.state.Resume();
  return done;
}

absl::Status RunningHost::Drain(int64_t deadline_ns) {
  const ModelState before = intake_.PauseForGood();
  // A failed model has nothing to save, and a replay begins again at the next start.
  const bool nothing_new = before == ModelState::kFailed || before == ModelState::kReplaying ||
                           before == ModelState::kCreating;
  if (nothing_new) return absl::OkStatus();
  // What is queued is in the journal; the next start trains it.
  return OnTrainer<CheckpointInfo>(false, deadline_ns,
                                   [this] { return trainer_.FinalCheckpoint(); })
      .status();
}

}  // namespace tally::hosting
