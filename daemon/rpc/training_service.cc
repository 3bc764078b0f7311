#include "daemon/rpc/training_service.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/rpc/conversion.h"
#include "daemon/rpc/evaluation.h"
#include "daemon/rpc/status_details.h"
#include "daemon/rpc/validation.h"

namespace tally::rpc {
namespace {

// How long a call waits for a snapshot before it looks whether its client still waits.
constexpr int64_t kWaitSliceNs = 100'000'000;
// How long it waits at most, whatever its deadline.
constexpr int64_t kWaitMaxNs = 300'000'000'000;

absl::Status TooManyWaitingError() {
  return WithReason(absl::ResourceExhaustedError(
                        "too many Evaluate calls are waiting for their min_position; try again"),
                    "TOO_MANY_CALLS");
}

}  // namespace

// The calls under way: counted against limits.streams, and ended when the daemon drains.
class TrainingService::Sessions {
 public:
  // False if there are `streams_max` streams already.
  bool Add(const std::shared_ptr<TrainSession>& session, bool stream, uint32_t streams_max) {
    const MutexLock lock(mutex_);
    if (stream && streams_ >= streams_max) return false;
    if (stream) ++streams_;
    sessions_[session.get()] = session;
    return true;
  }
  void Remove(TrainSession* session, bool stream) {
    const MutexLock lock(mutex_);
    sessions_.erase(session);
    if (stream) --streams_;
  }
  const std::atomic<uint32_t>& streams() const { return streams_; }
  std::vector<std::shared_ptr<TrainSession>> All() {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<TrainSession>> all;
    for (const auto& [key, session] : sessions_) all.push_back(session);
    return all;
  }

 private:
  Mutex mutex_;
  std::atomic<uint32_t> streams_ = 0;  // changed under the mutex
  std::map<TrainSession*, std::shared_ptr<TrainSession>> sessions_ TALLY_GUARDED_BY(mutex_);
};

// Carries the messages of one stream; deleted by gRPC's last callback.
class TrainingService::StreamCall
    : public grpc::ServerBidiReactor<v1::TrainStreamRequest, v1::TrainStreamResponse>,
      public TrainTransport {
 public:
  explicit StreamCall(TrainingService& service)
      : open_(service.environment_.open_calls),
        sessions_(*service.sessions_),
        session_(std::make_shared<TrainSession>(TrainSession::Kind::kStream,
                                                service.session_environment_, this)) {
    const uint32_t streams_max = service.environment_.limits->streams.load();
    if (!sessions_.Add(session_, true, streams_max)) {
      // The session must not finish the call a second time when the client cancels it.
      session_->Close();
      grpc::ServerBidiReactor<v1::TrainStreamRequest, v1::TrainStreamResponse>::Finish(
          ToGrpcStatus(WithReason(
              absl::ResourceExhaustedError(text::StrCat("limits.streams allows ", streams_max,
                                                        " TrainStream calls at a time; try again")),
              "TOO_MANY_STREAMS")));
      return;
    }
    // A drain that began just before the session was added has not seen it.
    if (service.environment_.catalog->draining()) {
      session_->End(DrainingError());
    } else {
      session_->Start();
    }
  }

  void OnReadDone(bool ok) override {
    ok ? session_->OnMessage(request_) : session_->OnReadClosed();
  }
  void OnWriteDone(bool ok) override { session_->OnWriteDone(ok); }
  void OnCancel() override { session_->OnCancel(); }
  void OnDone() override {
    session_->Close();
    delete this;
  }

  void Read() override { StartRead(&request_); }
  bool Write(const v1::TrainStreamResponse& response) override {
    response_ = response;
    StartWrite(&response_);
    return false;
  }
  void Finish(const absl::Status& status) override {
    // Before the client knows: then it may open the next stream at once.
    sessions_.Remove(session_.get(), true);
    grpc::ServerBidiReactor<v1::TrainStreamRequest, v1::TrainStreamResponse>::Finish(
        ToGrpcStatus(status));
  }

 private:
  const OpenCall open_;
  Sessions& sessions_;
  const std::shared_ptr<TrainSession> session_;
  v1::TrainStreamRequest request_;
  v1::TrainStreamResponse response_;
};

// One packet: the same session with a wire of one message each way.
class TrainingService::UnaryCall : public grpc::ServerUnaryReactor, public TrainTransport {
 public:
  UnaryCall(TrainingService& service, const v1::TrainRequest& request, v1::TrainResponse& response)
      : open_(service.environment_.open_calls),
        sessions_(*service.sessions_),
        session_(std::make_shared<TrainSession>(TrainSession::Kind::kUnary,
                                                service.session_environment_, this)),
        rows_(static_cast<uint32_t>(request.samples().labels_size())),
        response_(response) {
    sessions_.Add(session_, false, 0);
    if (service.environment_.catalog->draining()) {
      session_->End(DrainingError());
      return;
    }
    v1::TrainStreamRequest packet;
    packet.set_model(request.model());
    packet.set_source(request.source());
    packet.set_durability(request.durability());
    if (request.has_samples()) *packet.mutable_samples() = request.samples();
    session_->Start();
    session_->OnMessage(packet);
    session_->OnReadClosed();
  }

  void OnCancel() override { session_->OnCancel(); }
  void OnDone() override {
    session_->Close();
    delete this;
  }

  void Read() override {}
  bool Write(const v1::TrainStreamResponse& response) override {
    const auto skipped = static_cast<uint32_t>(response.skipped());
    *response_.mutable_progress() = response.progress();
    *response_.mutable_prequential() = response.prequential();
    *response_.mutable_digest_point() = response.digest_point();
    response_.set_skipped(skipped);
    response_.set_accepted(rows_ - skipped);
    return true;
  }
  void Finish(const absl::Status& status) override {
    sessions_.Remove(session_.get(), false);
    grpc::ServerUnaryReactor::Finish(ToGrpcStatus(status));
  }

 private:
  const OpenCall open_;
  Sessions& sessions_;
  const std::shared_ptr<TrainSession> session_;
  const uint32_t rows_;
  v1::TrainResponse& response_;
};

// Reads message by message; the first one may have to wait for its snapshot, on the pool.
class TrainingService::EvaluateCall : public grpc::ServerReadReactor<v1::EvaluateRequest> {
 public:
  EvaluateCall(const ServiceEnvironment& environment, grpc::CallbackServerContext* context,
               v1::EvaluateResponse* response)
      : environment_(environment),
        open_(environment.open_calls),
        context_(context),
        response_(response) {
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      End();
    } else if (evaluation_ == nullptr) {
      // Who waits does so apart: the pool's few threads are for calls that end by themselves.
      const bool waits = MustWait();
      WorkPool* const pool = waits ? environment_.waiters : environment_.pool;
      const bool taken = pool->TryRun([this] { Continue(Pin()); });
      if (!taken) Finish(ToGrpcStatus(waits ? TooManyWaitingError() : PoolFullError()));
    } else {
      Continue(absl::OkStatus());
    }
  }
  void OnDone() override { delete this; }

 private:
  void End() {
    if (evaluation_ == nullptr) {
      Finish(ToGrpcStatus(
          FieldError("model", "MISSING_FIELD", "the stream ended before its first message")));
      return;
    }
    evaluation_->Write(*response_);
    Finish(grpc::Status::OK);
  }

  void Continue(absl::Status status) {
    if (status.ok()) status = AddRows();
    if (!status.ok()) {
      Finish(ToGrpcStatus(status));
      return;
    }
    StartRead(&request_);
  }

  bool MustWait() const {
    if (request_.min_position() == 0) return false;
    const auto host = environment_.catalog->Find("model", request_.model(), Call::kEvaluate);
    if (!host.ok()) return false;
    const std::shared_ptr<const hosting::Snapshot> snapshot = (*host)->snapshot();
    return snapshot == nullptr || snapshot->position < request_.min_position();
  }

  absl::Status Pin() {
    TALLY_ASSIGN_OR_RETURN(const std::shared_ptr<hosting::ModelHost> host,
                           environment_.catalog->Find("model", request_.model(), Call::kEvaluate));
    model_ = request_.model();
    std::shared_ptr<const hosting::Snapshot> snapshot = host->snapshot();
    if (request_.min_position() > 0) {
      TALLY_ASSIGN_OR_RETURN(snapshot, WaitForSnapshot(*host, request_.min_position()));
    }
    if (snapshot == nullptr) return absl::UnavailableError("the model has no snapshot; try again");
    evaluation_ = std::make_unique<Evaluation>(std::move(snapshot));
    return absl::OkStatus();
  }

  absl::StatusOr<std::shared_ptr<const hosting::Snapshot>> WaitForSnapshot(hosting::ModelHost& host,
                                                                           uint64_t position) {
    const int64_t deadline_ns = std::min(DeadlineNs(*context_, *environment_.clock),
                                         environment_.clock->MonotonicNs() + kWaitMaxNs);
    for (;;) {
      std::shared_ptr<const hosting::Snapshot> snapshot = host.snapshot();
      if (snapshot != nullptr && snapshot->position >= position) return snapshot;
      TALLY_RETURN_IF_ERROR(CheckStillWanted(*context_));
      if (environment_.catalog->draining()) return DrainingError();
      const int64_t now_ns = environment_.clock->MonotonicNs();
      if (now_ns >= deadline_ns) {
        return absl::DeadlineExceededError(
            text::StrCat("min_position ", position, " was not trained in time; a partial ",
                         "mini-batch waits for more samples or a Flush"));
      }
      const absl::Status trained =
          host.WaitTrained(position, std::min(deadline_ns, now_ns + kWaitSliceNs));
      if (!trained.ok() && !absl::IsDeadlineExceeded(trained)) return trained;
      // Trained is not published yet; the host's publish interval bounds how often this repeats.
      if (trained.ok()) environment_.clock->SleepMs(2);
    }
  }

  absl::Status AddRows() {
    TALLY_RETURN_IF_ERROR(CheckMessageSize(request_, *environment_.limits));
    if (!request_.model().empty() && request_.model() != model_) {
      return FieldError("model", "CHANGED_FIELD",
                        text::StrCat("\"", request_.model(), "\" after \"", model_, "\""));
    }
    TALLY_RETURN_IF_ERROR(CheckRows("", request_.rows(), request_.labels(), evaluation_->spec(),
                                    *environment_.limits));
    evaluation_->Add(request_.rows(), request_.labels());
    return absl::OkStatus();
  }

  const ServiceEnvironment& environment_;
  const OpenCall open_;
  grpc::CallbackServerContext* const context_;
  v1::EvaluateResponse* const response_;
  v1::EvaluateRequest request_;
  std::string model_;
  std::unique_ptr<Evaluation> evaluation_;
};

TrainingService::TrainingService(const ServiceEnvironment& environment)
    : environment_(environment), sessions_(std::make_unique<Sessions>()) {
  session_environment_ = {
      environment.catalog,
      environment.limits,
      environment.clock,
      [lane = environment.lane](std::function<void()> work) { lane->Run(std::move(work)); },
      environment.default_durability,
      &sessions_->streams()};
}

TrainingService::~TrainingService() = default;

grpc::ServerUnaryReactor* TrainingService::Train(grpc::CallbackServerContext*,
                                                 const v1::TrainRequest* request,
                                                 v1::TrainResponse* response) {
  return new UnaryCall(*this, *request, *response);
}

grpc::ServerBidiReactor<v1::TrainStreamRequest, v1::TrainStreamResponse>*
TrainingService::TrainStream(grpc::CallbackServerContext*) {
  return new StreamCall(*this);
}

grpc::ServerUnaryReactor* TrainingService::GetSource(grpc::CallbackServerContext* context,
                                                     const v1::GetSourceRequest* request,
                                                     v1::GetSourceResponse* response) {
  if (absl::Status status = CheckSource(request->source()); !status.ok()) {
    return Answer(context, status);
  }
  const auto host = environment_.catalog->Find("model", request->model(), Call::kGetSource);
  if (host.ok()) ToProto((*host)->source(request->source()), *response->mutable_progress());
  return Answer(context, host.status());
}

grpc::ServerUnaryReactor* TrainingService::Flush(grpc::CallbackServerContext* context,
                                                 const v1::FlushRequest* request,
                                                 v1::FlushResponse* response) {
  return RunOnPool(environment_, context, [this, context, request, response]() -> absl::Status {
    TALLY_ASSIGN_OR_RETURN(const auto host,
                           environment_.catalog->Find("model", request->model(), Call::kFlush));
    const auto flushed = host->Flush(DeadlineNs(*context, *environment_.clock));
    if (!flushed.ok()) {
      absl::Status status = flushed.status();
      if (absl::IsFailedPrecondition(status)) status = WithReason(status, "MODEL_CALIBRATING");
      return WithResource(std::move(status), "model", request->model());
    }
    response->set_position(flushed->position);
    response->set_step(flushed->step);
    response->set_state_digest(flushed->state_digest);
    ToProto(flushed->prequential, *response->mutable_prequential());
    return absl::OkStatus();
  });
}

grpc::ServerReadReactor<v1::EvaluateRequest>* TrainingService::Evaluate(
    grpc::CallbackServerContext* context, v1::EvaluateResponse* response) {
  return new EvaluateCall(environment_, context, response);
}

void TrainingService::BeginDrain() {
  for (const std::shared_ptr<TrainSession>& session : sessions_->All()) {
    session->End(DrainingError());
  }
}

}  // namespace tally::rpc
