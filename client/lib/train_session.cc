#include "tally/train_session.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/lib/backoff.h"
#include "client/lib/connection.h"
#include "client/lib/send_window.h"
#include "client/lib/status.h"

namespace tally {
namespace {

using internal::Backoff;
using internal::Connection;
using internal::Refusal;
using internal::SendWindow;
using Clock = std::chrono::steady_clock;
using Stream = grpc::ClientReaderWriter<v1::TrainStreamRequest, v1::TrainStreamResponse>;

// How long a cancellation may go unnoticed in a pause between two attempts.
constexpr std::chrono::milliseconds kPauseSlice{100};

absl::Status CheckOptions(const TrainSessionOptions& options) {
  if (options.window_bytes == 0) return absl::InvalidArgumentError("window_bytes: 0, at least 1");
  if (options.give_up_after.count() <= 0 || options.stream_lifetime.count() <= 0) {
    return absl::InvalidArgumentError("give_up_after and stream_lifetime must be above 0 ms");
  }
  return absl::OkStatus();
}

// `cause` with the time that was spent on it; its details stay.
absl::Status GaveUp(const absl::Status& cause, std::chrono::milliseconds after) {
  absl::Status status(cause.code(), absl::StrCat(cause.message(), "; gave up after ", after.count(),
                                                 " ms without progress"));
  cause.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return status;
}

}  // namespace

// Two threads: the writer opens streams and writes packets; while a stream lives, a reader takes
// its acknowledgements. All they share with the caller is under mutex_.
class TrainSession::Impl {
 public:
  Impl(std::shared_ptr<Connection> connection, TrainSessionOptions options,
       const v1::SourceProgress& source)
      : connection_(std::move(connection)),
        options_(std::move(options)),
        backoff_(connection_->options().backoff_first, connection_->options().backoff_max,
                 internal::RandomSeed()),
        window_(options_.window_bytes, source.accepted_through() + 1),
        last_progress_(Clock::now()) {
    progress_.source = source;
    writer_ = std::thread([this] { Run(); });
  }

  ~Impl() {
    Cancel();
    writer_.join();
  }

  uint64_t next_sequence() const {
    const std::lock_guard lock(mutex_);
    return window_.next_sequence();
  }

  TrainProgress progress() const {
    const std::lock_guard lock(mutex_);
    return progress_;
  }

  absl::Status Send(std::string rows, std::span<const uint32_t> labels);
  absl::Status WaitAcknowledged();
  absl::Status Finish();
  void Cancel();

 private:
  // ---- The writer's side ----
  void Run();
  absl::Status RunStream();
  // Asks where the source stands and forgets what the server has; then everything kept is unwritten
  // again.
  absl::Status Resume();
  bool HasUnwritten() const {
    const std::lock_guard lock(mutex_);
    return window_.HasUnwritten();
  }
  void WritePackets(Stream& stream);
  void ReadAcknowledgements(Stream& stream);
  // True if the session should go on after `cause`; the pause is over when it returns.
  bool PauseBeforeRetry(const absl::Status& cause);
  // False if the session was cancelled meanwhile.
  bool Pause(std::chrono::milliseconds delay);

  // ---- Under mutex_ ----
  absl::Status TakeProgress(const v1::SourceProgress& source);
  uint64_t AcknowledgedThrough() const;
  bool OverLocked() const { return !failure_.ok() || cancelled_; }
  absl::Status OutcomeLocked() const {
    if (!failure_.ok()) return failure_;
    return cancelled_ ? absl::CancelledError("the training session was cancelled")
                      : absl::OkStatus();
  }
  void FailLocked(const absl::Status& status) {
    if (failure_.ok()) failure_ = status;
    changed_.notify_all();
  }

  const std::shared_ptr<Connection> connection_;
  const TrainSessionOptions options_;
  Backoff backoff_;               // the writer's
  Clock::time_point last_pause_;  // the writer's

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // anything below
  SendWindow window_;
  TrainProgress progress_;
  Clock::time_point last_progress_;
  absl::Status failure_;
  bool finishing_ = false;
  bool cancelled_ = false;
  bool finished_ = false;                   // the writer has ended, all is well
  bool stream_ended_ = false;               // the reader saw the end of the present stream
  grpc::ClientContext* context_ = nullptr;  // of the present stream

  std::thread writer_;  // last: it uses everything above
};

absl::Status TrainSession::Impl::Send(std::string rows, std::span<const uint32_t> labels) {
  if (labels.empty())
    return absl::InvalidArgumentError("samples.labels: empty, expected 1 or more");
  auto packet = std::make_unique<v1::TrainStreamRequest>();
  const uint64_t bytes = SendWindow::PacketBytes(rows.size(), labels.size());
  packet->set_model(options_.model);
  packet->set_source(options_.source);
  packet->set_durability(options_.durability);
  packet->mutable_samples()->set_rows(std::move(rows));
  packet->mutable_samples()->mutable_labels()->Assign(labels.begin(), labels.end());

  std::unique_lock lock(mutex_);
  if (finishing_ && !OverLocked()) return absl::FailedPreconditionError("Send after Finish");
  changed_.wait(lock, [&] { return OverLocked() || window_.HasRoom(bytes); });
  if (OverLocked()) return OutcomeLocked();
  // After a pause the server's silence is counted from here, not from the last acknowledgement.
  if (window_.empty()) last_progress_ = Clock::now();
  window_.Push(std::move(packet));
  changed_.notify_all();
  return absl::OkStatus();
}

absl::Status TrainSession::Impl::WaitAcknowledged() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return OverLocked() || window_.empty(); });
  return window_.empty() && failure_.ok() ? absl::OkStatus() : OutcomeLocked();
}

absl::Status TrainSession::Impl::Finish() {
  std::unique_lock lock(mutex_);
  finishing_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return OverLocked() || finished_; });
  return finished_ ? absl::OkStatus() : OutcomeLocked();
}

void TrainSession::Impl::Cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
  changed_.notify_all();
}

void TrainSession::Impl::Run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return OverLocked() || finishing_ || !window_.empty(); });
      if (OverLocked()) return;
      if (window_.empty()) {  // finishing, and nothing is waiting for an acknowledgement
        finished_ = true;
        changed_.notify_all();
        return;
      }
    }
    absl::Status status = Resume();
    if (status.ok() && HasUnwritten()) status = RunStream();
    if (!status.ok() && !PauseBeforeRetry(status)) return;
  }
}

absl::Status TrainSession::Impl::Resume() {
  v1::GetSourceRequest request;
  request.set_model(options_.model);
  request.set_source(options_.source);
  v1::GetSourceResponse response;
  absl::Status status =
      Connection::CallOnce(connection_->options().timeout, [&](grpc::ClientContext& context) {
        return connection_->training().GetSource(&context, request, &response);
      });
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  window_.Rewind();
  return TakeProgress(response.progress());
}

absl::Status TrainSession::Impl::RunStream() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options_.stream_lifetime);
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return absl::CancelledError("the training session was cancelled");
    stream_ended_ = false;
    context_ = &context;
  }
  auto stream = connection_->training().TrainStream(&context);
  std::thread reader([&] { ReadAcknowledgements(*stream); });
  WritePackets(*stream);
  reader.join();
  const absl::Status status = internal::FromGrpc(stream->Finish());

  const std::lock_guard lock(mutex_);
  context_ = nullptr;
  if (!status.ok()) return status;
  if (window_.empty()) return absl::OkStatus();
  return absl::UnavailableError("the server ended the stream before everything was acknowledged");
}

void TrainSession::Impl::WritePackets(Stream& stream) {
  while (true) {
    std::shared_ptr<const v1::TrainStreamRequest> packet;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        return OverLocked() || stream_ended_ || window_.HasUnwritten() ||
               (finishing_ && window_.empty());
      });
      if (OverLocked() || stream_ended_) return;
      if (window_.HasUnwritten()) packet = window_.TakeUnwritten();
    }
    if (packet == nullptr) {  // finishing: the server may end the stream
      stream.WritesDone();
      return;
    }
    if (!stream.Write(*packet)) return;  // broken: the reader meets the end, Finish tells why
  }
}

void TrainSession::Impl::ReadAcknowledgements(Stream& stream) {
  v1::TrainStreamResponse response;
  while (stream.Read(&response)) {
    TrainProgress progress;
    {
      const std::lock_guard lock(mutex_);
      progress_.prequential = response.prequential();
      progress_.digest_point = response.digest_point();
      const absl::Status status = TakeProgress(response.progress());
      if (!status.ok()) {
        FailLocked(status);
        context_->TryCancel();
      }
      progress = progress_;
    }
    if (options_.on_progress) options_.on_progress(progress);
  }
  const std::lock_guard lock(mutex_);
  stream_ended_ = true;
  changed_.notify_all();
}

uint64_t TrainSession::Impl::AcknowledgedThrough() const {
  return options_.durability == v1::DURABILITY_BUFFERED ? progress_.source.accepted_through()
                                                        : progress_.source.durable_through();
}

absl::Status TrainSession::Impl::TakeProgress(const v1::SourceProgress& source) {
  if (source.accepted_through() >= window_.next_sequence()) {
    return absl::AbortedError(
        absl::StrCat("source \"", options_.source, "\" of model \"", options_.model,
                     "\": the server has sample ", source.accepted_through(),
                     ", this session sent no further than ", window_.next_sequence() - 1,
                     "; another client uses the same source"));
  }
  const uint64_t acknowledged = AcknowledgedThrough();
  if (source.accepted_through() < acknowledged) {
    return absl::DataLossError(absl::StrCat(
        "source \"", options_.source, "\" of model \"", options_.model, "\": samples ",
        source.accepted_through() + 1, " to ", acknowledged,
        " had been acknowledged and are gone from the server (power loss after a buffered "
        "acknowledgement, or an older state directory); send them again with a new session"));
  }
  const bool moved = source.accepted_through() != progress_.source.accepted_through() ||
                     source.durable_through() != progress_.source.durable_through() ||
                     source.trained_through() != progress_.source.trained_through();
  progress_.source = source;
  window_.Acknowledge(AcknowledgedThrough());
  if (moved) {
    last_progress_ = Clock::now();
    changed_.notify_all();
  }
  return absl::OkStatus();
}

bool TrainSession::Impl::PauseBeforeRetry(const absl::Status& cause) {
  // A stream that reached the end of its lifetime is simply opened again.
  const bool expired = cause.code() == absl::StatusCode::kDeadlineExceeded;
  std::unique_lock lock(mutex_);
  if (OverLocked()) return false;
  if (!expired && internal::Classify(cause) == Refusal::kFinal) {
    FailLocked(cause);
    return false;
  }
  if (Clock::now() - last_progress_ > options_.give_up_after && !window_.empty()) {
    FailLocked(GaveUp(cause, options_.give_up_after));
    return false;
  }
  if (last_progress_ > last_pause_) backoff_.Reset();
  last_pause_ = Clock::now();
  const auto delay = std::max(backoff_.Next(), internal::RequestedDelay(cause));
  if (!expired) ++progress_.interruptions;
  lock.unlock();
  if (!expired && options_.on_interruption) options_.on_interruption(cause, delay);
  return Pause(delay);
}

bool TrainSession::Impl::Pause(std::chrono::milliseconds delay) {
  const auto until = Clock::now() + delay;
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (OverLocked()) return false;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return true;
    if (connection_->Pause(std::min(left, kPauseSlice))) return true;
  }
}

absl::StatusOr<std::unique_ptr<TrainSession>> TrainSession::Open(const Client& client,
                                                                 TrainSessionOptions options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  auto source = client.GetSource(options.model, options.source);
  if (!source.ok()) return source.status();
  return std::unique_ptr<TrainSession>(
      new TrainSession(std::make_unique<Impl>(client.connection_, std::move(options), *source)));
}

TrainSession::TrainSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TrainSession::~TrainSession() = default;

uint64_t TrainSession::next_sequence() const { return impl_->next_sequence(); }
TrainProgress TrainSession::progress() const { return impl_->progress(); }
absl::Status TrainSession::Send(std::string rows, std::span<const uint32_t> labels) {
  return impl_->Send(std::move(rows), labels);
}
absl::Status TrainSession::WaitAcknowledged() { return impl_->WaitAcknowledged(); }
absl::Status TrainSession::Finish() { return impl_->Finish(); }
void TrainSession::Cancel() { impl_->Cancel(); }

}  // namespace tally
