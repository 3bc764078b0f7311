// A channel with its stubs, and the loop that gives every unary call its deadline and its retries.

#ifndef TALLY_CLIENT_LIB_CONNECTION_H_
#define TALLY_CLIENT_LIB_CONNECTION_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tally/client.h"
#include "tally/v1/models.grpc.pb.h"
#include "tally/v1/training.grpc.pb.h"

namespace tally::internal {

// Whether carrying out a call twice does harm.
enum class Repeatable { kYes, kNo };

// Thread-safe.
class Connection {
 public:
  static absl::StatusOr<std::shared_ptr<Connection>> Make(std::string_view address,
                                                          const ClientOptions& options);

  const ClientOptions& options() const { return options_; }
  v1::Models::Stub& models() const { return *models_; }
  v1::Training::Stub& training() const { return *training_; }
  inference::GRPCInferenceService::Stub& inference() const { return *inference_; }

  using Attempt = std::function<grpc::Status(grpc::ClientContext& context)>;

  // Runs `attempt` with a fresh context whose deadline is `timeout` from then on, again and again
  // as client.h says under "Retries".
  absl::Status Call(std::chrono::milliseconds timeout, Repeatable repeatable,
                    const Attempt& attempt) const;
  // A unary method of a stub, called so.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Unary(std::chrono::milliseconds timeout, Repeatable repeatable,
                                 Stub& stub,
                                 grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                              Response*),
                                 const Request& request) const {
    Response response;
    absl::Status status = Call(timeout, repeatable, [&](grpc::ClientContext& context) {
      return (stub.*method)(&context, request, &response);
    });
    if (!status.ok()) return status;
    return response;
  }

  // Waits between two attempts: for `delay`, or less if the connection comes back before; returns
  // whether it did. It has to be this call that waits, not a sleep: gRPC makes a connection only
  // while somebody polls it.
  bool Pause(std::chrono::milliseconds delay) const;

  // Runs `attempt` once.
  static absl::Status CallOnce(std::chrono::milliseconds timeout, const Attempt& attempt);

 private:
  Connection(std::shared_ptr<grpc::Channel> channel, const ClientOptions& options);

  const ClientOptions options_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Models::Stub> models_;
  const std::unique_ptr<v1::Training::Stub> training_;
  const std::unique_ptr<inference::GRPCInferenceService::Stub> inference_;
};

}  // namespace tally::internal

#endif  // TALLY_CLIENT_LIB_CONNECTION_H_
