#include "daemon/hosting/host_state.h"

#include <algorithm>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/waiting.h"

namespace tally::hosting {

std::string_view ModelStateName(ModelState state) {
  switch (state) {
    case ModelState::kCreating:
      return "CREATING";
    case ModelState::kCalibrating:
      return "CALIBRATING";
    case ModelState::kReplaying:
      return "REPLAYING";
    case ModelState::kReady:
      return "READY";
    case ModelState::kDraining:
      return "DRAINING";
    case ModelState::kFailed:
      return "FAILED";
  }
  return "UNKNOWN";
}

HostState::HostState(storage::Clock& clock, std::string name, HostHooks hooks)
    : clock_(clock), name_(std::move(name)), hooks_(std::move(hooks)) {
  status_.state = ModelState::kReplaying;
}

void HostState::Recovered(const TrainingLane& lane, uint64_t last_position, DigestPoint point,
                          uint64_t journal_bytes, std::string detail) {
  const std::string told = detail;
  {
    MutexLock lock(mutex_);
    sources_.Restore(lane.taken_sources(), lane.trained_sources());
    status_.step = lane.learner().step();
    status_.accepted_position = last_position;
    status_.durable_position = last_position;
    status_.trained_position = lane.trained_position();
    status_.prequential = lane.prequential();
    status_.digest_point = std::move(point);
    status_.journal_bytes = journal_bytes;
    warnings_ = std::move(detail);
    status_.detail = ReadyDetail();
    calibrating_ = lane.calibrating();
    // A final pause may have come in during the replay; then it stays.
    if (status_.state == ModelState::kReplaying) {
      status_.state = calibrating_ ? ModelState::kCalibrating : ModelState::kReady;
    }
    NoteCalibration(lane);
  }
  Announce();
  Tell(HostEvent::Kind::kRecovered, lane.learner().step(),
       text::StrCat("position ", lane.trained_position()));
  if (!told.empty()) Tell(HostEvent::Kind::kWarning, lane.learner().step(), told);
}

void HostState::Tell(HostEvent::Kind kind, uint64_t step, std::string detail) const {
  if (hooks_.on_event) hooks_.on_event({kind, name_, step, std::move(detail)});
}

absl::Status HostState::PauseForRollback() {
  MutexLock lock(mutex_);
  if (!Open()) return Refusal();
  status_.state = ModelState::kDraining;
  status_.detail = "rolling back";
  rolling_back_ = true;
  return absl::OkStatus();
}

ModelState HostState::PauseForGood() {
  ModelState before = ModelState::kFailed;
  {
    MutexLock lock(mutex_);
    before = status_.state;
    if (before == ModelState::kFailed) return before;
    status_.state = ModelState::kDraining;
    status_.detail = "shutting down";
    rolling_back_ = false;
  }
  Announce();
  return before;
}

void HostState::Resume() {
  {
    MutexLock lock(mutex_);
    if (status_.state != ModelState::kDraining || !rolling_back_) return;
    rolling_back_ = false;
    status_.state = calibrating_ ? ModelState::kCalibrating : ModelState::kReady;
    status_.detail = ReadyDetail();
  }
  Announce();
}

void HostState::Fail(const absl::Status& cause, bool fatal) {
  bool report = false;
  bool first = false;
  uint64_t step = 0;
  {
    MutexLock lock(mutex_);
    step = status_.step;
    first = status_.state != ModelState::kFailed;
    report = fatal && !std::exchange(fatal_reported_, true);
    if (status_.state != ModelState::kFailed) {
      status_.state = ModelState::kFailed;
      status_.detail = std::string(cause.message());
      cause_ = cause;
      status_.failure = absl::IsDataLoss(cause) ? absl::StatusCode::kDataLoss
                                                : absl::StatusCode::kFailedPrecondition;
    }
  }
  Announce();
  if (first) Tell(HostEvent::Kind::kFailed, step, std::string(cause.message()));
  if (report && hooks_.on_fatal) hooks_.on_fatal(cause);
}

void HostState::Retire() {
  {
    MutexLock lock(mutex_);
    retired_ = true;
    status_.state = ModelState::kFailed;
    status_.detail = "deleted";
  }
  Announce();
}

absl::Status HostState::CheckOpen() const {
  MutexLock lock(mutex_);
  return Open() ? absl::OkStatus() : Refusal();
}

absl::Status HostState::CheckReadable() const {
  MutexLock lock(mutex_);
  const bool unknown =
      status_.state == ModelState::kCreating || status_.state == ModelState::kReplaying;
  return retired_ || unknown ? Refusal() : absl::OkStatus();
}

absl::Status HostState::CheckAlive() const {
  MutexLock lock(mutex_);
  return retired_ || status_.state == ModelState::kFailed ? Refusal() : absl::OkStatus();
}

void HostState::SetDetail(std::string detail) {
  MutexLock lock(mutex_);
  if (status_.state != ModelState::kFailed) status_.detail = std::move(detail);
}

void HostState::Warn(std::string trouble) {
  uint64_t step = 0;
  {
    MutexLock lock(mutex_);
    if (trouble == trouble_) return;
    trouble_ = trouble;
    step = status_.step;
    if (status_.state == ModelState::kReady) status_.detail = ReadyDetail();
  }
  if (!trouble.empty()) Tell(HostEvent::Kind::kWarning, step, std::move(trouble));
}

std::string HostState::ReadyDetail() const {
  return text::StrCat(warnings_, warnings_.empty() || trouble_.empty() ? "" : "; ", trouble_);
}

absl::Status HostState::cause() const {
  MutexLock lock(mutex_);
  return cause_;
}

absl::StatusOr<uint32_t> HostState::Admit(const storage::SamplesRecord& packet,
                                          uint32_t sources_max) const {
  MutexLock lock(mutex_);
  if (!Open()) return Refusal();
  return sources_.CountKept(packet.source, packet.first_sequence,
                            static_cast<uint32_t>(packet.labels.size()), sources_max);
}

void HostState::AcceptSamples(const std::string& source, uint64_t through, uint64_t position,
                              uint64_t journal_bytes) {
  MutexLock lock(mutex_);
  sources_.Accept(source, through);
  status_.accepted_position = position;
  status_.journal_bytes = journal_bytes;
}

void HostState::AcceptRecord(uint64_t position, uint64_t journal_bytes) {
  MutexLock lock(mutex_);
  status_.accepted_position = position;
  status_.journal_bytes = journal_bytes;
}

void HostState::SetJournalBytes(uint64_t bytes) {
  MutexLock lock(mutex_);
  status_.journal_bytes = bytes;
}

HostState::Unsynced HostState::BeginSync() {
  MutexLock lock(mutex_);
  return {status_.accepted_position, sources_.BeginSync()};
}

void HostState::EndSync(const Unsynced& synced) {
  MutexLock lock(mutex_);
  sources_.EndSync(synced.sources);
  status_.durable_position = std::max(status_.durable_position, synced.position);
  changed_.NotifyAll();
}

bool HostState::AllDurable() const {
  MutexLock lock(mutex_);
  return status_.durable_position >= status_.accepted_position;
}

void HostState::Progress(TrainingLane& lane) {
  bool announce = false;
  {
    MutexLock lock(mutex_);
    for (const auto entry : lane.TakeReached()) sources_.Trained(entry->first, entry->second);
    status_.step = lane.learner().step();
    status_.trained_position = lane.trained_position();
    status_.prequential = lane.prequential();
    const bool was_calibrating = std::exchange(calibrating_, lane.calibrating());
    if (was_calibrating != calibrating_ && Open()) {
      status_.state = calibrating_ ? ModelState::kCalibrating : ModelState::kReady;
      status_.detail = ReadyDetail();
      announce = true;
    }
    NoteCalibration(lane);
    changed_.NotifyAll();
  }
  if (announce) Announce();
}

void HostState::NoteCalibration(const TrainingLane& lane) {
  if (status_.state != ModelState::kCalibrating) return;
  status_.detail = text::StrCat("calibrating ", lane.pending_rows(), "/",
                                lane.learner().calibration_samples_wanted());
}

void HostState::SetDigestPoint(DigestPoint point) {
  MutexLock lock(mutex_);
  status_.digest_point = std::move(point);
}

void HostState::SetSpec(std::shared_ptr<const ModelSpec> spec, uint64_t memory_bytes) {
  MutexLock lock(mutex_);
  status_.memory_bytes = memory_bytes;
  spec_ = std::move(spec);
}

void HostState::Publish(std::shared_ptr<const Snapshot> snapshot,
                        std::vector<LayerCounters> layers) {
  {
    MutexLock lock(mutex_);
    // The old snapshot may be freed outside the lock.
    std::swap(snapshot_, snapshot);
    status_.layers = std::move(layers);
  }
  Announce();
}

HostStatus HostState::status() const {
  MutexLock lock(mutex_);
  HostStatus status = status_;
  status.sources = sources_.size();
  return status;
}

ModelState HostState::state() const {
  MutexLock lock(mutex_);
  return status_.state;
}

SourceProgress HostState::source(std::string_view name) const {
  MutexLock lock(mutex_);
  return sources_.Progress(name);
}

std::shared_ptr<const ModelSpec> HostState::spec() const {
  MutexLock lock(mutex_);
  return spec_;
}

std::shared_ptr<const Snapshot> HostState::snapshot() const {
  hooks_.questions->fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(mutex_);
  return snapshot_;
}

uint64_t HostState::durable_position() const {
  MutexLock lock(mutex_);
  return status_.durable_position;
}

uint64_t HostState::journal_bytes() const {
  MutexLock lock(mutex_);
  return status_.journal_bytes;
}

absl::Status HostState::WaitDurable(uint64_t position, int64_t deadline_ns) {
  return WaitFor(&HostStatus::durable_position, position, deadline_ns);
}

absl::Status HostState::WaitTrained(uint64_t position, int64_t deadline_ns) {
  return WaitFor(&HostStatus::trained_position, position, deadline_ns);
}

absl::Status HostState::WaitFor(const uint64_t HostStatus::*reached, uint64_t position,
                                int64_t deadline_ns) {
  MutexLock lock(mutex_);
  while (status_.*reached < position) {
    if (retired_ || status_.state == ModelState::kFailed) return Refusal();
    if (!WaitSlice(changed_, mutex_, clock_, deadline_ns)) {
      return absl::DeadlineExceededError(text::StrCat("model \"", name_, "\" has reached position ",
                                                      status_.*reached, ", not yet ", position));
    }
  }
  return absl::OkStatus();
}

bool HostState::WaitRecovered(int64_t deadline_ns) {
  {
    MutexLock lock(mutex_);
    while (status_.state == ModelState::kCreating || status_.state == ModelState::kReplaying) {
      if (!WaitSlice(changed_, mutex_, clock_, deadline_ns)) return false;
    }
  }
  // The thread that recovered may not have come to tell yet; nobody shall return before it is told.
  Announce();
  return true;
}

bool HostState::Open() const {
  return !retired_ &&
         (status_.state == ModelState::kReady || status_.state == ModelState::kCalibrating);
}

bool HostState::Serving() const {
  if (retired_ || snapshot_ == nullptr) return false;
  return status_.state == ModelState::kReady ||
         (status_.state == ModelState::kDraining && rolling_back_);
}

absl::Status HostState::Refusal() const {
  if (retired_) return absl::NotFoundError(text::StrCat("model \"", name_, "\" was deleted"));
  const std::string what = text::StrCat("model \"", name_, "\" is ", ModelStateName(status_.state),
                                        status_.detail.empty() ? "" : ": ", status_.detail);
  if (status_.state == ModelState::kFailed) return absl::Status(status_.failure, what);
  if (status_.state == ModelState::kCalibrating) return absl::FailedPreconditionError(what);
  return absl::UnavailableError(text::StrCat(what, "; try again"));
}

void HostState::Announce() {
  MutexLock report(report_mutex_);
  bool serving = false;
  {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
    serving = Serving();
  }
  if (std::exchange(reported_serving_, serving) != serving && hooks_.on_serving) {
    hooks_.on_serving(serving);
  }
}

}  // namespace tally::hosting
