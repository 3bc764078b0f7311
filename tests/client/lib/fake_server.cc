#include "tests/client/lib/fake_server.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tally::testing {
namespace {

bool HasDeadline(const grpc::ServerContext& context) {
  return context.deadline() < std::chrono::system_clock::now() + std::chrono::hours(24);
}

grpc::Status WithDetail(grpc::StatusCode code, const std::string& message,
                        const google::protobuf::Message& detail) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(message);
  status.add_details()->PackFrom(detail);
  return grpc::Status(code, message, status.SerializeAsString());
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tally-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) abort();
  path_ = pattern;
}

TempDir::~TempDir() { std::filesystem::remove_all(path_); }

grpc::Status WithRetryInfo(grpc::StatusCode code, const std::string& message, int64_t delay_ms) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(delay_ms / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(delay_ms % 1000) * 1'000'000);
  return WithDetail(code, message, info);
}

grpc::Status WithField(grpc::StatusCode code, const std::string& message,
                       const std::string& field) {
  google::rpc::BadRequest bad;
  bad.add_field_violations()->set_field(field);
  bad.mutable_field_violations(0)->set_description(message);
  return WithDetail(code, message, bad);
}

std::vector<uint32_t> FakeTraining::learnt() const {
  const std::lock_guard lock(mutex_);
  return learnt_;
}

uint32_t FakeTraining::streams() const {
  const std::lock_guard lock(mutex_);
  return streams_;
}

uint64_t FakeTraining::skipped() const {
  const std::lock_guard lock(mutex_);
  return skipped_;
}

uint64_t FakeTraining::unacknowledged_bytes_max() const {
  const std::lock_guard lock(mutex_);
  return unacknowledged_bytes_max_;
}

bool FakeTraining::saw_deadline() const {
  const std::lock_guard lock(mutex_);
  return saw_deadline_;
}

void FakeTraining::LoseWhatIsNotDurable() {
  const std::lock_guard lock(mutex_);
  learnt_.resize(durable_);
}

void FakeTraining::AddForeignSamples(uint64_t count) {
  const std::lock_guard lock(mutex_);
  learnt_.resize(learnt_.size() + count);
  durable_ = learnt_.size();
}

void FakeTraining::WaitForPackets(uint64_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return packets_ >= count; });
}

v1::SourceProgress FakeTraining::ProgressLocked() const {
  v1::SourceProgress progress;
  progress.set_accepted_through(learnt_.size());
  progress.set_durable_through(durable_);
  progress.set_trained_through(learnt_.size());
  progress.set_next_sequence(learnt_.size() + 1);
  return progress;
}

grpc::Status FakeTraining::Keep(const v1::Samples& samples) {
  const uint64_t expected = learnt_.size() + 1;
  if (samples.first_sequence() > expected) return {grpc::StatusCode::OUT_OF_RANGE, "gap"};
  for (int i = 0; i < samples.labels_size(); ++i) {
    if (samples.first_sequence() + static_cast<uint64_t>(i) < expected) {
      ++skipped_;
    } else {
      learnt_.push_back(samples.labels(i));
    }
  }
  const uint64_t lag = std::min<uint64_t>(durable_lag, learnt_.size());
  durable_ = std::max(durable_, learnt_.size() - lag);
  return grpc::Status::OK;
}

grpc::Status FakeTraining::TrainStream(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::TrainStreamResponse, v1::TrainStreamRequest>* stream) {
  {
    const std::lock_guard lock(mutex_);
    ++streams_;
    saw_deadline_ = saw_deadline_ && HasDeadline(*context);
    unacknowledged_bytes_ = 0;
  }
  v1::TrainStreamRequest request;
  while (stream->Read(&request)) {
    std::unique_lock lock(mutex_);
    const uint64_t packet = packets_++;
    unacknowledged_bytes_ += request.samples().rows().size() +
                             4 * static_cast<uint64_t>(request.samples().labels_size());
    unacknowledged_bytes_max_ = std::max(unacknowledged_bytes_max_, unacknowledged_bytes_);
    changed_.notify_all();
    lock.unlock();
    const Act act = script ? script(packet) : Act::kKeep;
    lock.lock();
    if (act == Act::kBreakBefore) return broken;
    if (grpc::Status status = Keep(request.samples()); !status.ok()) return status;
    if (act == Act::kBreakAfterwards) return broken;
    if (act == Act::kKeepSilently) continue;
    v1::TrainStreamResponse response;
    *response.mutable_progress() = ProgressLocked();
    response.mutable_prequential()->set_seen(learnt_.size());
    if (durable_lag == 0) unacknowledged_bytes_ = 0;
    lock.unlock();
    stream->Write(response);
  }
  // The client's own clock says the same at about this time; an OK must not overtake it.
  if (context->IsCancelled()) return {grpc::StatusCode::DEADLINE_EXCEEDED, "cancelled"};
  return grpc::Status::OK;
}

grpc::Status FakeTraining::GetSource(grpc::ServerContext* context, const v1::GetSourceRequest*,
                                     v1::GetSourceResponse* response) {
  const std::lock_guard lock(mutex_);
  saw_deadline_ = saw_deadline_ && HasDeadline(*context);
  if (!get_source_errors.empty()) {
    grpc::Status status = get_source_errors.back();
    get_source_errors.pop_back();
    return status;
  }
  *response->mutable_progress() = ProgressLocked();
  return grpc::Status::OK;
}

grpc::Status FakeTraining::Evaluate(grpc::ServerContext*,
                                    grpc::ServerReader<v1::EvaluateRequest>* reader,
                                    v1::EvaluateResponse* response) {
  v1::EvaluateRequest request;
  bool first = true;
  while (reader->Read(&request)) {
    if (request.model().empty() == first) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "the model is named in the first message only"};
    }
    first = false;
    response->set_total(response->total() + static_cast<uint64_t>(request.labels_size()));
  }
  return grpc::Status::OK;
}

grpc::Status FakeModels::Next(grpc::ServerContext* context) {
  ++calls;
  saw_deadline = saw_deadline && HasDeadline(*context);
  if (errors.empty()) return grpc::Status::OK;
  grpc::Status status = errors.back();
  errors.pop_back();
  return status;
}

grpc::Status FakeModels::Create(grpc::ServerContext* context, const v1::CreateRequest* request,
                                v1::CreateResponse* response) {
  response->mutable_model()->mutable_spec()->set_name(request->name());
  return Next(context);
}

grpc::Status FakeModels::Get(grpc::ServerContext* context, const v1::GetRequest* request,
                             v1::GetResponse* response) {
  response->mutable_model()->mutable_spec()->set_name(request->name());
  return Next(context);
}

grpc::Status FakeModels::Export(grpc::ServerContext*, const v1::ExportRequest*,
                                grpc::ServerWriter<v1::ExportResponse>* writer) {
  constexpr size_t kChunk = 100'000;
  for (size_t at = 0; at < file.size(); at += kChunk) {
    v1::ExportResponse response;
    if (at == 0) response.mutable_checkpoint()->set_size_bytes(file.size());
    response.set_chunk(file.substr(at, kChunk));
    writer->Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status FakeModels::Import(grpc::ServerContext*, grpc::ServerReader<v1::ImportRequest>* reader,
                                v1::ImportResponse* response) {
  v1::ImportRequest request;
  file.clear();
  while (reader->Read(&request)) {
    if (file.empty()) response->mutable_model()->mutable_spec()->set_name(request.name());
    file += request.chunk();
  }
  return grpc::Status::OK;
}

void FakeServer::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
  builder.RegisterService(&training);
  builder.RegisterService(&models);
  builder.RegisterService(&inference);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) abort();
}

void FakeServer::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

}  // namespace tally::testing
