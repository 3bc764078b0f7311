// tally.v1.Training.

#ifndef TALLY_DAEMON_RPC_TRAINING_SERVICE_H_
#define TALLY_DAEMON_RPC_TRAINING_SERVICE_H_

#include <cstdint>
#include <map>
#include <memory>

#include "daemon/platform/mutex.h"
#include "daemon/rpc/service_environment.h"
#include "daemon/rpc/train_session.h"
#include "tally/v1/training.grpc.pb.h"

namespace tally::rpc {

class TrainingService : public v1::Training::CallbackService {
 public:
  explicit TrainingService(const ServiceEnvironment& environment);

  grpc::ServerUnaryReactor* Train(grpc::CallbackServerContext* context,
                                  const v1::TrainRequest* request,
                                  v1::TrainResponse* response) override;
  grpc::ServerBidiReactor<v1::TrainStreamRequest, v1::TrainStreamResponse>* TrainStream(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* GetSource(grpc::CallbackServerContext* context,
                                      const v1::GetSourceRequest* request,
                                      v1::GetSourceResponse* response) override;
  grpc::ServerUnaryReactor* Flush(grpc::CallbackServerContext* context,
                                  const v1::FlushRequest* request,
                                  v1::FlushResponse* response) override;
  grpc::ServerReadReactor<v1::EvaluateRequest>* Evaluate(grpc::CallbackServerContext* context,
                                                         v1::EvaluateResponse* response) override;

  // Ends every training call with UNAVAILABLE, after its acknowledgements.
  void BeginDrain();

 private:
  class Sessions;
  class StreamCall;
  class UnaryCall;
  class EvaluateCall;

  const ServiceEnvironment environment_;
  TrainSession::Environment session_environment_;
  std::unique_ptr<Sessions> sessions_;

 public:
  ~TrainingService() override;
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_TRAINING_SERVICE_H_
