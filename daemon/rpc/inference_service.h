// inference.GRPCInferenceService, the Open Inference Protocol v2.

#ifndef TALLY_DAEMON_RPC_INFERENCE_SERVICE_H_
#define TALLY_DAEMON_RPC_INFERENCE_SERVICE_H_

#include "daemon/rpc/service_environment.h"
#include "inference/grpc_predict_v2.grpc.pb.h"

namespace tally::rpc {

class InferenceService : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit InferenceService(const ServiceEnvironment& environment) : environment_(environment) {}

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest* request,
                                       inference::ServerLiveResponse* response) override;
  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest* request,
                                        inference::ServerReadyResponse* response) override;
  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override;
  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest* request,
                                           inference::ServerMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override;
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override;

 private:
  absl::Status Describe(const inference::ModelMetadataRequest& request,
                        inference::ModelMetadataResponse& response);

  const ServiceEnvironment environment_;
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_INFERENCE_SERVICE_H_
