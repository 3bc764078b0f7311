#include "tests/daemon/rpc/fakes.h"

#include <utility>

#include "daemon/hosting/queue_full.h"

namespace tally::rpc {

void FakePredictor::Predict(const RowBatch& rows, std::span<int32_t> scores) const {
  const size_t row_bytes = rows.bytes.size() / rows.rows;
  for (size_t row = 0; row < rows.rows; ++row) {
    int32_t sum = 0;
    for (size_t i = 0; i < row_bytes; ++i) {
      sum += std::to_integer<int32_t>(rows.bytes[row * row_bytes + i]);
    }
    const uint32_t first = std::to_integer<uint32_t>(rows.bytes[row * row_bytes]) % classes_;
    for (uint32_t c = 0; c < classes_; ++c) {
      scores[row * classes_ + c] = c == first ? sum : static_cast<int32_t>(c);
    }
  }
}

int64_t FakePredictor::Loss(std::span<const int32_t> scores, uint32_t label) const {
  return scores[label];
}

ModelSpec FakeSpec(const std::string& name, ElementType type) {
  ModelSpec spec;
  spec.name = name;
  spec.algorithm = "pocketnn";
  spec.input.shape = {2, 3};
  spec.input.type = type;
  spec.layers = {{3, Activation::kPocketTanh}};
  spec.classes = 3;
  spec.labels = {"ant", "bee", "cat"};
  spec.learning_rate = {{0, 1000}};
  spec.schedule_steps = 100;
  return spec;
}

FakeHost::FakeHost(ModelSpec spec) : name_(spec.name) {
  spec_ = std::make_shared<const ModelSpec>(std::move(spec));
  status_.state = hosting::ModelState::kReady;
  status_.memory_bytes = 4711;
  SetSnapshot(true);
}

void FakeHost::SetState(hosting::ModelState state, const std::string& detail) {
  const std::lock_guard lock(mutex_);
  status_.state = state;
  status_.detail = detail;
}

void FakeHost::SetFailure(absl::StatusCode code) {
  const std::lock_guard lock(mutex_);
  status_.failure = code;
}

void FakeHost::SetSnapshot(bool present) {
  const std::lock_guard lock(mutex_);
  snapshot_ = nullptr;
  if (!present) return;
  auto snapshot = std::make_shared<hosting::Snapshot>();
  snapshot->predictor = std::make_shared<FakePredictor>(spec_->classes);
  snapshot->spec = spec_;
  snapshot->position = 40;
  snapshot->step = 2;
  snapshot_ = snapshot;
}

void FakeHost::SetSpec(std::shared_ptr<const ModelSpec> spec) {
  const std::lock_guard lock(mutex_);
  spec_ = std::move(spec);
}

void FakeHost::SetRoom(bool room) {
  const std::lock_guard lock(mutex_);
  room_ = room;
}

void FakeHost::SetAppendError(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  append_error_ = status;
}

void FakeHost::SetDurableAtOnce(bool at_once) {
  const std::lock_guard lock(mutex_);
  durable_at_once_ = at_once;
}

void FakeHost::MakeDurable() {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, progress] : sources_) progress.durable_through = progress.accepted_through;
  }
  Notify();
}

void FakeHost::Train() {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, progress] : sources_) progress.trained_through = progress.accepted_through;
    status_.trained_position = status_.accepted_position;
  }
  Notify();
}

void FakeHost::Notify() {
  const std::lock_guard lock(listeners_mutex_);
  for (hosting::ProgressListener* listener : listeners_) listener->OnProgress();
}

std::vector<storage::SamplesRecord> FakeHost::packets() const {
  const std::lock_guard lock(mutex_);
  return packets_;
}

uint64_t FakeHost::syncs_requested() const {
  const std::lock_guard lock(mutex_);
  return syncs_requested_;
}

uint64_t FakeHost::syncs_requested_now() const {
  const std::lock_guard lock(mutex_);
  return syncs_requested_now_;
}

size_t FakeHost::listeners() const {
  const std::lock_guard lock(const_cast<std::mutex&>(listeners_mutex_));
  return listeners_.size();
}

std::shared_ptr<const ModelSpec> FakeHost::spec() const {
  const std::lock_guard lock(mutex_);
  return spec_;
}

hosting::HostStatus FakeHost::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

absl::StatusOr<hosting::AppendResult> FakeHost::Append(storage::SamplesRecord&& packet) {
  const std::lock_guard lock(mutex_);
  if (!append_error_.ok()) return append_error_;
  if (!room_) return hosting::QueueFullError("the training queue is full");
  hosting::SourceProgress& progress = sources_[packet.source];
  if (packet.first_sequence > progress.accepted_through + 1) {
    return absl::OutOfRangeError("gap; expected sequence " +
                                 std::to_string(progress.accepted_through + 1));
  }
  const uint64_t last = packet.first_sequence + packet.labels.size() - 1;
  hosting::AppendResult result;
  result.accepted = static_cast<uint32_t>(
      last > progress.accepted_through ? last - progress.accepted_through : 0);
  result.skipped = static_cast<uint32_t>(packet.labels.size()) - result.accepted;
  progress.accepted_through = std::max(progress.accepted_through, last);
  status_.accepted_position += result.accepted;
  result.position = status_.accepted_position;
  packets_.push_back(std::move(packet));
  return result;
}

bool FakeHost::HasRoom(uint64_t) {
  const std::lock_guard lock(mutex_);
  return room_;
}

void FakeHost::RequestSync(SyncWish wish) {
  const std::lock_guard lock(mutex_);
  ++syncs_requested_;
  if (wish == SyncWish::kNow) ++syncs_requested_now_;
  if (!durable_at_once_) return;
  for (auto& [name, progress] : sources_) progress.durable_through = progress.accepted_through;
}

hosting::SourceProgress FakeHost::source(const std::string& source) const {
  const std::lock_guard lock(mutex_);
  const auto found = sources_.find(source);
  return found == sources_.end() ? hosting::SourceProgress() : found->second;
}

absl::Status FakeHost::WaitDurable(uint64_t, int64_t) { return absl::OkStatus(); }

absl::Status FakeHost::WaitTrained(uint64_t position, int64_t) {
  const std::lock_guard lock(mutex_);
  return position <= status_.trained_position ? absl::OkStatus()
                                              : absl::DeadlineExceededError("not yet");
}

absl::StatusOr<hosting::ModelHost::FlushResult> FakeHost::Flush(int64_t) {
  if (status().state == hosting::ModelState::kCalibrating) {
    return absl::FailedPreconditionError(status().detail);
  }
  return FlushResult{41, 3, std::string(64, 'a'), {}};
}

absl::StatusOr<hosting::ModelHost::DigestResult> FakeHost::Digest(int64_t) {
  return DigestResult{std::string(64, 'b'), 2, 40};
}

absl::StatusOr<hosting::CheckpointInfo> FakeHost::Checkpoint(int64_t) {
  return hosting::CheckpointInfo{40, 2, std::string(64, 'b'), std::string(64, 'c'), 3'000'000};
}

absl::StatusOr<std::vector<hosting::CheckpointInfo>> FakeHost::ListCheckpoints() {
  return std::vector<hosting::CheckpointInfo>{
      {20, 1, std::string(64, 'd'), std::string(64, 'e'), 10}, *Checkpoint(0)};
}

absl::StatusOr<std::string> FakeHost::ReadCheckpoint(uint64_t position) {
  if (position != 20 && position != 40) return absl::NotFoundError("not kept");
  return std::string(position == 40 ? checkpoint_bytes_.load() : 10, 'x');
}

absl::StatusOr<hosting::CheckpointInfo> FakeHost::Rollback(uint64_t position, int64_t) {
  if (position != 20 && position != 40) return absl::NotFoundError("not kept");
  return *Checkpoint(0);
}

std::shared_ptr<const hosting::Snapshot> FakeHost::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void FakeHost::AddListener(hosting::ProgressListener* listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.insert(listener);
}

void FakeHost::RemoveListener(hosting::ProgressListener* listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(listener);
}

absl::Status FakeHost::Drain(int64_t) { return absl::OkStatus(); }

std::shared_ptr<FakeHost> FakeRegistry::Add(const ModelSpec& spec) {
  const std::lock_guard lock(mutex_);
  auto host = std::make_shared<FakeHost>(spec);
  hosts_[spec.name] = host;
  return host;
}

absl::StatusOr<std::shared_ptr<hosting::ModelHost>> FakeRegistry::Find(
    std::string_view name) const {
  const std::lock_guard lock(mutex_);
  const auto found = hosts_.find(name);
  if (found == hosts_.end()) {
    return absl::NotFoundError("model \"" + std::string(name) + "\" does not exist");
  }
  return std::shared_ptr<hosting::ModelHost>(found->second);
}

std::vector<std::shared_ptr<hosting::ModelHost>> FakeRegistry::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<hosting::ModelHost>> list;
  for (const auto& [name, host] : hosts_) list.push_back(host);
  return list;
}

absl::StatusOr<std::shared_ptr<hosting::ModelHost>> FakeRegistry::Create(const ModelSpec& spec) {
  if (Find(spec.name).ok()) return absl::AlreadyExistsError("model exists");
  return std::shared_ptr<hosting::ModelHost>(Add(spec));
}

absl::StatusOr<std::shared_ptr<hosting::ModelHost>> FakeRegistry::Import(
    std::string_view name, std::string_view checkpoint) {
  if (checkpoint.starts_with("damaged")) return absl::DataLossError("the file digest differs");
  if (checkpoint.starts_with("foreign")) return absl::InvalidArgumentError("no checkpoint");
  ModelSpec spec = FakeSpec(std::string(name));
  spec.labels[0] = std::string(checkpoint.substr(0, 3));
  return std::shared_ptr<hosting::ModelHost>(Add(spec));
}

absl::Status FakeRegistry::Delete(std::string_view name) {
  const std::lock_guard lock(mutex_);
  hosts_.erase(hosts_.find(name));
  return absl::OkStatus();
}

}  // namespace tally::rpc
