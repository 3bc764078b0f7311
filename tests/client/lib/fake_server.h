// A Tally server of the tests' own, in this process: it keeps what a scripted, unreliable daemon
// would keep.

#ifndef TALLY_TESTS_CLIENT_LIB_FAKE_SERVER_H_
#define TALLY_TESTS_CLIENT_LIB_FAKE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tally/v1/models.grpc.pb.h"
#include "tally/v1/training.grpc.pb.h"

namespace tally::testing {

// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// An error as the daemon sends it: with google.rpc details.
grpc::Status WithRetryInfo(grpc::StatusCode code, const std::string& message, int64_t delay_ms);
grpc::Status WithField(grpc::StatusCode code, const std::string& message, const std::string& field);

// What the fake does with one packet of a stream.
enum class Act {
  kKeep,             // keep it and acknowledge it
  kKeepSilently,     // keep it; a later acknowledgement covers it
  kBreakBefore,      // end the stream without keeping it
  kBreakAfterwards,  // keep it, end the stream without acknowledging it
};

// One source of one model. Thread-safe.
class FakeTraining final : public v1::Training::Service {
 public:
  // Decides about the n-th packet (from 0, over all streams). Default: keep all. Called without the
  // lock.
  std::function<Act(uint64_t packet)> script;
  // How a stream that the script breaks ends.
  grpc::Status broken{grpc::StatusCode::UNAVAILABLE, "scripted"};
  // The newest samples that are accepted but not durable yet.
  uint64_t durable_lag = 0;

  std::vector<uint32_t> learnt() const;  // labels of all samples kept, in order
  uint32_t streams() const;
  uint64_t skipped() const;  // samples received though kept before
  uint64_t unacknowledged_bytes_max() const;
  bool saw_deadline() const;

  // Power loss: what was not durable is gone.
  void LoseWhatIsNotDurable();
  void AddForeignSamples(uint64_t count);
  void WaitForPackets(uint64_t count);

  grpc::Status TrainStream(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::TrainStreamResponse, v1::TrainStreamRequest>* stream) override;
  grpc::Status GetSource(grpc::ServerContext* context, const v1::GetSourceRequest* request,
                         v1::GetSourceResponse* response) override;
  grpc::Status Evaluate(grpc::ServerContext* context,
                        grpc::ServerReader<v1::EvaluateRequest>* reader,
                        v1::EvaluateResponse* response) override;
  std::vector<grpc::Status> get_source_errors;  // answered first, last one first

 private:
  grpc::Status Keep(const v1::Samples& samples);
  v1::SourceProgress ProgressLocked() const;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint32_t> learnt_;
  uint64_t durable_ = 0;
  uint64_t packets_ = 0;
  uint64_t skipped_ = 0;
  uint64_t unacknowledged_bytes_ = 0;
  uint64_t unacknowledged_bytes_max_ = 0;
  uint32_t streams_ = 0;
  bool saw_deadline_ = true;
};

// Answers Create, Get and Digest from a list of errors (last one first), then OK; moves files in
// and out.
class FakeModels final : public v1::Models::Service {
 public:
  std::vector<grpc::Status> errors;
  std::string file;  // what Export sends; what Import received
  uint32_t calls = 0;
  bool saw_deadline = true;

  grpc::Status Create(grpc::ServerContext* context, const v1::CreateRequest* request,
                      v1::CreateResponse* response) override;
  grpc::Status Get(grpc::ServerContext* context, const v1::GetRequest* request,
                   v1::GetResponse* response) override;
  grpc::Status Export(grpc::ServerContext* context, const v1::ExportRequest* request,
                      grpc::ServerWriter<v1::ExportResponse>* writer) override;
  grpc::Status Import(grpc::ServerContext* context, grpc::ServerReader<v1::ImportRequest>* reader,
                      v1::ImportResponse* response) override;

 private:
  grpc::Status Next(grpc::ServerContext* context);
};

class FakeInference final : public inference::GRPCInferenceService::Service {
 public:
  inference::ModelInferRequest last;
  inference::ModelInferResponse answer;

  grpc::Status ModelInfer(grpc::ServerContext*, const inference::ModelInferRequest* request,
                          inference::ModelInferResponse* response) override {
    last = *request;
    *response = answer;
    return grpc::Status::OK;
  }
};

// Serves the three on a Unix socket; may be stopped and started again.
class FakeServer {
 public:
  FakeServer() : path_(directory_.File("socket")) { Start(); }
  ~FakeServer() { Stop(); }

  void Start();
  void Stop();
  std::string address() const { return "unix:" + path_; }

  FakeTraining training;
  FakeModels models;
  FakeInference inference;

 private:
  TempDir directory_;
  const std::string path_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace tally::testing

#endif  // TALLY_TESTS_CLIENT_LIB_FAKE_SERVER_H_
