// tally.v1.Models.

#ifndef TALLY_DAEMON_RPC_MODELS_SERVICE_H_
#define TALLY_DAEMON_RPC_MODELS_SERVICE_H_

#include <atomic>

#include "daemon/rpc/service_environment.h"
#include "tally/v1/models.grpc.pb.h"

namespace tally::rpc {

class ModelsService : public v1::Models::CallbackService {
 public:
  explicit ModelsService(const ServiceEnvironment& environment) : environment_(environment) {}

  grpc::ServerUnaryReactor* Create(grpc::CallbackServerContext* context,
                                   const v1::CreateRequest* request,
                                   v1::CreateResponse* response) override;
  grpc::ServerUnaryReactor* Get(grpc::CallbackServerContext* context, const v1::GetRequest* request,
                                v1::GetResponse* response) override;
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context,
                                 const v1::ListRequest* request,
                                 v1::ListResponse* response) override;
  grpc::ServerUnaryReactor* Delete(grpc::CallbackServerContext* context,
                                   const v1::DeleteRequest* request,
                                   v1::DeleteResponse* response) override;
  grpc::ServerUnaryReactor* Checkpoint(grpc::CallbackServerContext* context,
                                       const v1::CheckpointRequest* request,
                                       v1::CheckpointResponse* response) override;
  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const v1::ListCheckpointsRequest* request,
                                            v1::ListCheckpointsResponse* response) override;
  grpc::ServerUnaryReactor* Rollback(grpc::CallbackServerContext* context,
                                     const v1::RollbackRequest* request,
                                     v1::RollbackResponse* response) override;
  grpc::ServerWriteReactor<v1::ExportResponse>* Export(grpc::CallbackServerContext* context,
                                                       const v1::ExportRequest* request) override;
  grpc::ServerReadReactor<v1::ImportRequest>* Import(grpc::CallbackServerContext* context,
                                                     v1::ImportResponse* response) override;
  grpc::ServerUnaryReactor* Digest(grpc::CallbackServerContext* context,
                                   const v1::DigestRequest* request,
                                   v1::DigestResponse* response) override;

 private:
  class ExportCall;
  class ImportCall;

  const ServiceEnvironment environment_;
  std::atomic<bool> importing_{false};
  std::atomic<bool> exporting_{false};
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_MODELS_SERVICE_H_
