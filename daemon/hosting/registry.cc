#include "daemon/hosting/registry.h"

#include <unistd.h>

#include <atomic>
#include <map>
#include <memory>
#include <utility>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "core/learner/model_spec_reader.h"
#include "core/parallel/worker_pool.h"
#include "core/text/object_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/admission.h"
#include "daemon/hosting/running_host.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/hosting/waiting.h"
#include "daemon/platform/memory.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/model_directory.h"

namespace tally::hosting {
namespace {

using HostMap = std::map<std::string, std::shared_ptr<RunningHost>, std::less<>>;

class DirectoryRegistry final : public Registry {
 public:
  DirectoryRegistry(storage::FileSystem& fs, storage::Clock& clock, const RegistryOptions& options,
                    StateCallback on_state, FatalCallback on_fatal)
      : fs_(fs),
        clock_(clock),
        state_dir_(options.state_dir),
        host_options_(options.host),
        on_state_(std::move(on_state)),
        on_fatal_(std::move(on_fatal)),
        on_event_(options.on_event),
        limits_{options.models_max, options.parameters_max, options.memory_bytes_max,
                ThreadsOf(options.host.workers)},
        sources_max_(options.host.sources_max) {}

  absl::Status OpenAll();

  absl::StatusOr<std::shared_ptr<ModelHost>> Find(std::string_view name) const override;
  std::vector<std::shared_ptr<ModelHost>> List() const override;
  absl::StatusOr<std::shared_ptr<ModelHost>> Create(const ModelSpec& spec) override;
  absl::StatusOr<std::shared_ptr<ModelHost>> Import(std::string_view name,
                                                    std::string_view checkpoint) override;
  absl::Status Delete(std::string_view name) override;
  void WaitRecovered(const std::function<void(std::string_view)>& progress) override;
  absl::Status DrainAll(int64_t deadline_ns) override;
  bool MadeProgress() override;
  void UpdateLimits(uint32_t models_max, uint64_t parameters_max, uint32_t sources_max) override;

 private:
  std::vector<std::shared_ptr<RunningHost>> Hosts() const;
  HostHooks HooksOf(const std::string& name);
  void TellState(const std::string& name, bool serving) const;
  void TellFatal(const absl::Status& cause);
  // Begins recovery and lists the host; one that cannot even begin is listed as FAILED.
  std::shared_ptr<RunningHost> OpenHost(const std::string& name);
  // Name free, limits kept: for a model that is about to be made.
  absl::Status CheckNew(const ModelSpec& spec) const;
  // Makes the directory around a learner and opens it.
  absl::StatusOr<std::shared_ptr<ModelHost>> Found(Learner& learner) TALLY_REQUIRES(admin_mutex_);
  absl::Status Remove(const std::string& name) TALLY_REQUIRES(admin_mutex_);

  storage::FileSystem& fs_;
  storage::Clock& clock_;
  const std::string state_dir_;
  const HostOptions host_options_;
  const StateCallback on_state_;
  const FatalCallback on_fatal_;
  const EventCallback on_event_;
  const std::shared_ptr<std::atomic<uint64_t>> questions_ =
      std::make_shared<std::atomic<uint64_t>>(0);  // of all hosts
  std::unique_ptr<storage::FileLock> lock_;

  Mutex admin_mutex_;  // one Create, Import or Delete at a time; taken before mutex_
  mutable Mutex mutex_;
  HostMap hosts_ TALLY_GUARDED_BY(mutex_);
  AdmissionLimits limits_ TALLY_GUARDED_BY(mutex_);
  uint32_t sources_max_ TALLY_GUARDED_BY(mutex_);
  bool fatal_told_ TALLY_GUARDED_BY(mutex_) = false;
  std::map<std::string, uint64_t> heartbeats_ TALLY_GUARDED_BY(mutex_);  // of MadeProgress
};

// Makes the state directory if it is missing, so that it stays. An existing one may come from a
// process that was killed before its sync, so its name is synced each time; but its parent may be
// out of bounds (systemd).
absl::Status MakeStateDirectory(storage::FileSystem& fs, const std::string& path) {
  TALLY_RETURN_IF_ERROR(fs.CreateDirectory(path));
  const size_t slash = path.find_last_of('/');
  std::string parent = ".";
  if (slash != std::string::npos) parent = slash == 0 ? "/" : path.substr(0, slash);
  const absl::Status synced = fs.SyncDirectory(parent);
  return absl::IsPermissionDenied(synced) ? absl::OkStatus() : synced;
}

absl::Status DirectoryRegistry::OpenAll() {
  TALLY_RETURN_IF_ERROR(MakeStateDirectory(fs_, state_dir_));
  TALLY_ASSIGN_OR_RETURN(
      lock_, fs_.Lock(text::StrCat(state_dir_, "/LOCK"), text::StrCat("process ", getpid())));
  TALLY_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                         storage::OpenStateDirectory(fs_, state_dir_));
  for (const std::string& name : names) OpenHost(name);
  return absl::OkStatus();
}

std::shared_ptr<RunningHost> DirectoryRegistry::OpenHost(const std::string& name) {
  TellState(name, false);
  HostOptions options = host_options_;
  {
    MutexLock lock(mutex_);
    options.sources_max = sources_max_;
  }
  auto opened = RunningHost::Open(fs_, clock_, state_dir_, name, options, HooksOf(name));
  std::shared_ptr<RunningHost> host =
      opened.ok() ? *std::move(opened)
                  : RunningHost::Failed(fs_, clock_, state_dir_, name, options, opened.status());
  MutexLock lock(mutex_);
  hosts_[name] = host;
  return host;
}

HostHooks DirectoryRegistry::HooksOf(const std::string& name) {
  return {[this, name](bool serving) { TellState(name, serving); },
          [this](const absl::Status& cause) { TellFatal(cause); }, on_event_, questions_};
}

void DirectoryRegistry::TellState(const std::string& name, bool serving) const {
  if (on_state_) on_state_(name, serving);
}

void DirectoryRegistry::TellFatal(const absl::Status& cause) {
  {
    MutexLock lock(mutex_);
    if (std::exchange(fatal_told_, true)) return;
  }
  if (on_fatal_) on_fatal_(cause);
}

absl::StatusOr<std::shared_ptr<ModelHost>> DirectoryRegistry::Find(std::string_view name) const {
  std::vector<std::string> names;
  {
    MutexLock lock(mutex_);
    const auto found = hosts_.find(name);
    if (found != hosts_.end()) return std::shared_ptr<ModelHost>(found->second);
    for (const auto& [existing, host] : hosts_) names.push_back(existing);
  }
  const std::string nearest = text::NearestName(name, names);
  return absl::NotFoundError(text::StrCat("no model \"", name, "\"",
                                          nearest.empty() ? "" : "; did you mean \"", nearest,
                                          nearest.empty() ? "" : "\"?"));
}

std::vector<std::shared_ptr<RunningHost>> DirectoryRegistry::Hosts() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<RunningHost>> hosts;
  hosts.reserve(hosts_.size());
  for (const auto& [name, host] : hosts_) hosts.push_back(host);
  return hosts;
}

std::vector<std::shared_ptr<ModelHost>> DirectoryRegistry::List() const {
  const std::vector<std::shared_ptr<RunningHost>> hosts = Hosts();
  return {hosts.begin(), hosts.end()};
}

absl::Status DirectoryRegistry::CheckNew(const ModelSpec& spec) const {
  TALLY_RETURN_IF_ERROR(CheckName("name", spec.name));
  AdmittedLoad load;
  MutexLock lock(mutex_);
  if (hosts_.contains(spec.name)) {
    return absl::AlreadyExistsError(text::StrCat("model \"", spec.name, "\" exists already"));
  }
  for (const auto& [name, host] : hosts_) {
    const std::shared_ptr<const ModelSpec> existing = host->spec();
    if (existing != nullptr) {
      load.Add(*existing, limits_.threads);
    } else {
      ++load.models;
    }
  }
  return Admit(limits_, load, spec);
}

absl::StatusOr<std::shared_ptr<ModelHost>> DirectoryRegistry::Create(const ModelSpec& spec) {
  MutexLock admin(admin_mutex_);
  TALLY_RETURN_IF_ERROR(ValidateModelSpec(spec));
  TALLY_RETURN_IF_ERROR(CheckNew(spec));
  TALLY_ASSIGN_OR_RETURN(std::unique_ptr<Learner> learner, MakeLearner(spec));
  absl::StatusOr<std::shared_ptr<ModelHost>> host = Found(*learner);
  // It only served to write the first generation.
  learner = nullptr;
  platform::ReturnUnusedMemory();
  return host;
}

absl::StatusOr<std::shared_ptr<ModelHost>> DirectoryRegistry::Import(std::string_view name,
                                                                     std::string_view checkpoint) {
  MutexLock admin(admin_mutex_);
  absl::Status refusal;
  // Everything is checked before the learner's memory is taken.
  const LearnerFactory factory =
      [&](const ModelSpec& stored) -> absl::StatusOr<std::unique_ptr<Learner>> {
    ModelSpec spec = stored;
    if (!name.empty()) spec.name = std::string(name);
    refusal = CheckNew(spec);
    if (!refusal.ok()) return refusal;
    return MakeLearner(spec, {.workers = host_options_.workers});
  };
  absl::StatusOr<Checkpoint> decoded = DecodeCheckpoint(checkpoint, factory);
  if (!refusal.ok()) return refusal;
  if (!decoded.ok()) return decoded.status();
  return Found(*decoded->learner);
}

absl::StatusOr<std::shared_ptr<ModelHost>> DirectoryRegistry::Found(Learner& learner) {
  const std::string name = learner.spec().name;
  const std::string origin = EncodeCheckpoint(learner, EncodeStart({}));
  if (absl::Status made = storage::CreateModelDirectory(fs_, state_dir_, name, origin);
      !made.ok()) {
    if (absl::IsDataLoss(made)) TellFatal(made);
    return made;
  }
  const std::shared_ptr<RunningHost> host = OpenHost(name);
  host->WaitRecovered(kNoDeadline);
  const absl::Status failure = host->failure();
  if (failure.ok()) return std::shared_ptr<ModelHost>(host);
  // The caller is told that there is no such model, so there shall be none.
  Remove(name).IgnoreError();
  return failure;
}

absl::Status DirectoryRegistry::Delete(std::string_view name) {
  MutexLock admin(admin_mutex_);
  TALLY_RETURN_IF_ERROR(Find(name).status());
  return Remove(std::string(name));
}

absl::Status DirectoryRegistry::Remove(const std::string& name) {
  std::shared_ptr<RunningHost> host;
  {
    MutexLock lock(mutex_);
    const auto found = hosts_.find(name);
    host = found->second;
    hosts_.erase(found);
    heartbeats_.erase(name);
  }
  // No thread of the host may touch the directory while it goes, or a later one of the same name.
  host->Retire();
  const absl::Status removed = storage::RemoveModelDirectory(fs_, state_dir_, name);
  TellState(name, false);
  if (absl::IsDataLoss(removed)) TellFatal(removed);
  return removed;
}

void DirectoryRegistry::WaitRecovered(const std::function<void(std::string_view)>& progress) {
  constexpr uint64_t kLineMs = 1000;
  for (const std::shared_ptr<RunningHost>& host : Hosts()) {
    uint64_t before = host->heartbeat();
    while (!host->WaitRecovered(DeadlineAfterMs(clock_.MonotonicNs(), kLineMs))) {
      const uint64_t now = host->heartbeat();
      if (std::exchange(before, now) == now) continue;  // a recovery that hangs gets no more time
      const std::string detail = host->status().detail;
      progress(text::StrCat("Replaying ", host->name(), detail.empty() ? "" : ": ", detail));
    }
  }
}

absl::Status DirectoryRegistry::DrainAll(int64_t deadline_ns) {
  absl::Status first;
  for (const std::shared_ptr<RunningHost>& host : Hosts()) {
    const absl::Status drained = host->Drain(deadline_ns);
    if (drained.ok()) continue;
    first.Update(absl::Status(drained.code(),
                              text::StrCat("model \"", host->name(), "\": ", drained.message())));
  }
  return first;
}

bool DirectoryRegistry::MadeProgress() {
  bool progress = true;
  for (const std::shared_ptr<RunningHost>& host : Hosts()) {
    const uint64_t now = host->heartbeat();
    const bool idle = host->idle() || host->saving();
    MutexLock lock(mutex_);
    const auto [last, fresh] = heartbeats_.try_emplace(host->name(), now);
    const bool moved = fresh || std::exchange(last->second, now) != now;
    progress = progress && (idle || moved);
  }
  return progress;
}

void DirectoryRegistry::UpdateLimits(uint32_t models_max, uint64_t parameters_max,
                                     uint32_t sources_max) {
  {
    MutexLock lock(mutex_);
    limits_.models_max = models_max;
    limits_.parameters_max = parameters_max;
    sources_max_ = sources_max;
  }
  for (const std::shared_ptr<RunningHost>& host : Hosts()) host->SetSourcesMax(sources_max);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Registry>> Registry::Open(storage::FileSystem& fs,
                                                         storage::Clock& clock,
                                                         const RegistryOptions& options,
                                                         StateCallback on_state,
                                                         FatalCallback on_fatal) {
  auto registry = std::make_unique<DirectoryRegistry>(fs, clock, options, std::move(on_state),
                                                      std::move(on_fatal));
  if (const absl::Status opened = registry->OpenAll(); !opened.ok()) {
    return absl::Status(
        opened.code(), text::StrCat("state directory ", options.state_dir, ": ", opened.message()));
  }
  return registry;
}

}  // namespace tally::hosting
