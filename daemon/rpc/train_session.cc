#include "daemon/rpc/train_session.h"

#include <limits>
#include <utility>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/queue_full.h"
#include "daemon/rpc/conversion.h"
#include "daemon/rpc/status_details.h"
#include "daemon/rpc/validation.h"

namespace tally::rpc {
namespace {

// How often, at most, an acknowledgement is sent that brings nothing but training progress.
constexpr int64_t kProgressIntervalNs = 100'000'000;

// What many streams have at least, each: a large packet on its way while another is synced.
constexpr uint64_t kWindowShareMin = 256 << 10;

// What of an error the sender needs to find the packet.
absl::Status NameSequence(const absl::Status& status, uint64_t first_sequence) {
  absl::Status named(status.code(), text::StrCat("samples from sequence ", first_sequence, ": ",
                                                 std::string(status.message())));
  status.ForEachPayload([&named](absl::string_view url, const absl::Cord& payload) {
    named.SetPayload(url, payload);
  });
  return WithMetadata(std::move(named), "first_sequence", text::StrCat(first_sequence));
}

}  // namespace

TrainSession::TrainSession(Kind kind, const Environment& environment, TrainTransport* transport)
    : kind_(kind), environment_(environment), transport_(transport) {}

void TrainSession::Start() {
  const MutexLock lock(mutex_);
  Advance();
}

void TrainSession::OnMessage(v1::TrainStreamRequest& request) {
  const MutexLock lock(mutex_);
  reading_ = false;
  if (!ending_) {
    absl::Status status = Take(request);
    if (!status.ok()) {
      BeginEnd(request.has_samples() ? NameSequence(status, request.samples().first_sequence())
                                     : status);
    }
  }
  Advance();
}

void TrainSession::OnReadClosed() {
  const MutexLock lock(mutex_);
  reading_ = false;
  if (!ending_) {
    BeginEnd(host_ != nullptr ? absl::OkStatus()
                              : FieldError("model", "MISSING_FIELD",
                                           "the stream ended before its first message"));
  }
  Advance();
}

void TrainSession::OnWriteDone(bool ok) {
  const MutexLock lock(mutex_);
  writing_ = false;
  if (!ok) cancelled_ = true;
  Advance();
}

void TrainSession::OnCancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  Advance();
}

void TrainSession::Close() {
  std::shared_ptr<hosting::ModelHost> host;
  {
    const MutexLock lock(mutex_);
    transport_ = nullptr;
    finished_ = true;
    host = host_;
  }
  // Without the mutex: it waits for an OnProgress that may be under way.
  if (host != nullptr) host->RemoveListener(this);
}

void TrainSession::End(const absl::Status& status) {
  const MutexLock lock(mutex_);
  if (!ending_) BeginEnd(status);
  Advance();
}

void TrainSession::OnProgress() {
  if (!ShouldWake() || scheduled_.exchange(true)) return;
  environment_.lane([self = shared_from_this()] {
    self->scheduled_.store(false);
    const MutexLock lock(self->mutex_);
    self->Advance();
  });
}

// Called at every training step, on the trainer's thread: cheap, and without the session's mutex.
bool TrainSession::ShouldWake() const {
  if (attentive_.load()) return true;
  const uint64_t waiting_bytes = wake_bytes_.load();
  if (waiting_bytes != 0 && !MustWaitForRoom(waiting_bytes)) return true;
  const hosting::SourceProgress progress = host_->source(source_);
  if (LevelOf(progress) > wake_level_.load()) return true;
  // A buffered stream's client may keep its packets until they are durable.
  if (progress.durable_through > wake_durable_.load()) return true;
  if (progress.trained_through > sent_trained_.load() &&
      TrainingIsWorthTelling(progress, kept_through_.load())) {
    return true;
  }
  return host_->state() == hosting::ModelState::kFailed;
}

// Training progress alone moves with every mini-batch: it is told at intervals, and when it comes
// to rest. While packets await their acknowledgement there is no rest: it will carry the news.
bool TrainSession::TrainingIsWorthTelling(const hosting::SourceProgress& progress,
                                          uint64_t kept) const {
  const bool rest =
      LevelOf(progress) >= kept && (progress.trained_through >= kept || host_->idle());
  return rest || environment_.clock->MonotonicNs() - sent_at_ns_.load() >= kProgressIntervalNs;
}

// A packet waits only where waiting helps: in any other state Append has the answer.
bool TrainSession::MustWaitForRoom(uint64_t bytes) const {
  if (host_->HasRoom(bytes)) return false;
  const hosting::ModelState state = host_->state();
  return state == hosting::ModelState::kReady || state == hosting::ModelState::kCalibrating;
}

absl::Status TrainSession::Open(const v1::TrainStreamRequest& request) {
  TALLY_RETURN_IF_ERROR(CheckSource(request.source()));
  if (!v1::Durability_IsValid(request.durability())) {
    return FieldError("durability", "INVALID_FIELD",
                      text::StrCat(static_cast<int>(request.durability()), " is no Durability"));
  }
  const Call call = kind_ == Kind::kUnary ? Call::kTrain : Call::kTrainStream;
  TALLY_ASSIGN_OR_RETURN(host_, environment_.catalog->Find("model", request.model(), call));
  model_ = request.model();
  source_ = request.source();
  const v1::Durability durability = request.durability() == v1::DURABILITY_UNSPECIFIED
                                        ? environment_.default_durability
                                        : request.durability();
  durable_.store(durability == v1::DURABILITY_DURABLE);
  host_->AddListener(this);
  return absl::OkStatus();
}

absl::Status TrainSession::CheckRepeated(const v1::TrainStreamRequest& request) const {
  if (!request.model().empty() && request.model() != model_) {
    return FieldError("model", "CHANGED_FIELD",
                      text::StrCat("\"", request.model(), "\" after \"", model_,
                                   "\"; a stream teaches one model"));
  }
  if (!request.source().empty() && request.source() != source_) {
    return FieldError("source", "CHANGED_FIELD",
                      text::StrCat("\"", request.source(), "\" after \"", source_,
                                   "\"; a stream has one source"));
  }
  return absl::OkStatus();
}

// Validates a message and leaves its packet in `pending_`.
absl::Status TrainSession::Take(v1::TrainStreamRequest& request) {
  TALLY_RETURN_IF_ERROR(CheckMessageSize(request, *environment_.limits));
  const bool first = host_ == nullptr;
  if (first) {
    TALLY_RETURN_IF_ERROR(Open(request));
  } else {
    TALLY_RETURN_IF_ERROR(CheckRepeated(request));
  }
  if (!request.has_samples()) {
    // The first message of a stream may only open it, to learn where the source stands.
    if (first && kind_ == Kind::kStream) return absl::OkStatus();
    return FieldError("samples", "MISSING_FIELD", "missing");
  }
  const std::shared_ptr<const ModelSpec> spec = host_->spec();
  if (spec == nullptr)
    return absl::UnavailableError("the model's spec is not known yet; try again");
  TALLY_RETURN_IF_ERROR(CheckSamples(request.samples(), *spec, *environment_.limits));
  v1::Samples& samples = *request.mutable_samples();
  pending_ = storage::SamplesRecord{source_,
                                    samples.first_sequence(),
                                    std::move(*samples.mutable_rows()),
                                    {samples.labels().begin(), samples.labels().end()}};
  return absl::OkStatus();
}

void TrainSession::AppendPending() {
  const uint64_t bytes = pending_->rows.size();
  const uint64_t first_sequence = pending_->first_sequence;
  const uint64_t last_sequence = first_sequence + pending_->labels.size() - 1;
  // Published before the question, so that room made after the answer wakes the session.
  wake_bytes_.store(bytes);
  if (kind_ == Kind::kStream && MustWaitForRoom(bytes)) return;
  absl::StatusOr<hosting::AppendResult> result = host_->Append(std::move(*pending_));
  if (result.ok()) {
    pending_.reset();
    Kept(*result, last_sequence, bytes);
    return;
  }
  const bool no_room = hosting::IsQueueFull(result.status());
  // Another stream was faster: the packet is as it was, and waits.
  if (no_room && kind_ == Kind::kStream) return;
  absl::Status status = result.status();
  if (no_room) status = WithRetryMs(WithReason(std::move(status), "TRAINING_QUEUE_FULL"), 100);
  if (absl::IsOutOfRange(status)) {
    status = WithMetadata(
        WithField(WithReason(std::move(status), "SEQUENCE_GAP"), "samples.first_sequence"),
        "next_sequence", text::StrCat(host_->source(source_).accepted_through + 1));
  }
  pending_.reset();
  BeginEnd(NameSequence(WithResource(std::move(status), "model", model_), first_sequence));
}

void TrainSession::Kept(const hosting::AppendResult& result, uint64_t last_sequence,
                        uint64_t bytes) {
  skipped_ += result.skipped;
  if (in_flight_.empty()) last_run_packets_ = std::exchange(run_packets_, 0);
  ++run_packets_;
  last_sequence_ = std::max(last_sequence_, last_sequence);
  in_flight_.push_back({last_sequence, bytes});
  in_flight_bytes_ += bytes;
  if (!durable_.load()) return;
  host_->RequestSync(SyncCanWait() ? hosting::ModelHost::SyncWish::kSoon
                                   : hosting::ModelHost::SyncWish::kNow);
}

// Two streams have all of limits.window each; more of them share what two have, so that the memory
// of many streams is bounded, down to what a sync of one packet needs.
uint64_t TrainSession::WindowBytes() const {
  const uint64_t limit = environment_.limits->window_bytes.load();
  const uint64_t streams =
      environment_.open_streams == nullptr ? 1 : environment_.open_streams->load();
  const uint64_t share = 2 * limit / std::max<uint64_t>(streams, 1);
  return std::min(limit, std::max(share, kWindowShareMin));
}

// A sender that goes on sending before it is acknowledged is not held up by waiting a little, until
// half its window is full: the other half can be sent during the sync. One that waits for each
// acknowledgement would be.
bool TrainSession::SyncCanWait() const {
  const bool goes_on = run_packets_ > 1 || last_run_packets_ > 1;
  return kind_ == Kind::kStream && goes_on && !ending_ && in_flight_bytes_ < WindowBytes() / 2;
}

void TrainSession::BeginEnd(const absl::Status& status) {
  ending_ = status;
  attentive_.store(true);
  if (host_ != nullptr && durable_.load() && !in_flight_.empty()) {
    host_->RequestSync(hosting::ModelHost::SyncWish::kNow);
  }
  pending_.reset();  // not kept, hence not acknowledged: the sender has it still
}

void TrainSession::RetireAcknowledged() {
  progress_ = host_->source(source_);
  while (!in_flight_.empty() && in_flight_.front().last_sequence <= LevelOf(progress_)) {
    in_flight_bytes_ -= in_flight_.front().bytes;
    in_flight_.pop_front();
  }
}

// A failed or deleted model takes no more packets, and what it has accepted will not become durable
// in this life of the daemon.
void TrainSession::GiveUpOnFailedHost() {
  if (ending_ && EverythingAcknowledgeable()) return;
  if (host_->state() != hosting::ModelState::kFailed) return;
  const hosting::HostStatus status = host_->status();
  const std::string sentence = text::StrCat("model \"", model_, "\" is FAILED: ", status.detail);
  BeginEnd(WithResource(WithReason(absl::Status(status.failure, sentence), "MODEL_FAILED"), "model",
                        model_));
  last_sequence_ = LevelOf(progress_);
}

void TrainSession::Advance() {
  if (finished_) return;
  if (host_ != nullptr) {
    if (pending_ && !cancelled_) AppendPending();
    RetireAcknowledged();
    GiveUpOnFailedHost();
    if (!writing_ && !cancelled_ && WriteIsDue()) WriteAcknowledgement();
  }
  const bool done = ending_ && (host_ == nullptr || final_sent_);
  if (!writing_ && (done || cancelled_)) {
    finished_ = true;
    transport_->Finish(done ? *ending_ : absl::CancelledError("the client has gone"));
    return;
  }
  const bool room = in_flight_.empty() || in_flight_bytes_ < WindowBytes();
  if (!reading_ && !ending_ && !cancelled_ && !pending_ && room) {
    reading_ = true;
    transport_->Read();
  }
  PublishWakeConditions();
}

bool TrainSession::WriteIsDue() const {
  if (final_sent_) return false;
  if (ending_) return EverythingAcknowledgeable();
  if (kind_ == Kind::kUnary) return false;
  if (!sent_any_ || LevelOf(progress_) > LevelOf(sent_)) return true;
  if (progress_.durable_through > sent_.durable_through) return true;
  return progress_.trained_through > sent_.trained_through &&
         TrainingIsWorthTelling(progress_, last_sequence_);
}

void TrainSession::WriteAcknowledgement() {
  const hosting::HostStatus status = host_->status();
  v1::TrainStreamResponse response;
  ToProto(progress_, *response.mutable_progress());
  ToProto(status.prequential, *response.mutable_prequential());
  ToProto(status.digest_point, *response.mutable_digest_point());
  response.set_window_bytes(static_cast<uint32_t>(WindowBytes()));
  response.set_skipped(skipped_);
  sent_ = progress_;
  sent_any_ = true;
  sent_at_ns_.store(environment_.clock->MonotonicNs());
  if (ending_) final_sent_ = true;
  writing_ = !transport_->Write(response);
}

void TrainSession::PublishWakeConditions() {
  wake_level_.store(LevelOf(progress_));
  wake_durable_.store(progress_.durable_through);
  wake_bytes_.store(pending_ ? pending_->rows.size() : 0);
  sent_trained_.store(sent_.trained_through);
  kept_through_.store(last_sequence_);
}

}  // namespace tally::rpc
