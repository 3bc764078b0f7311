// A real server and real stubs over a socket pair, in front of fake models.

#ifndef TALLY_TESTS_DAEMON_RPC_TEST_SERVER_H_
#define TALLY_TESTS_DAEMON_RPC_TEST_SERVER_H_

#include <fcntl.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "daemon/rpc/server.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tally/v1/models.grpc.pb.h"
#include "tally/v1/training.grpc.pb.h"
#include "tests/daemon/rpc/fakes.h"

namespace tally::rpc {

class TestServer {
 public:
  explicit TestServer(const ServerOptions& options = {.version = "1.2.3"}) : catalog(registry) {
    server = *Server::Start(catalog, limits, health, storage::SystemClock(), options);
    channel = Connect();
    training = v1::Training::NewStub(channel);
    models = v1::Models::NewStub(channel);
    inference = inference::GRPCInferenceService::NewStub(channel);
  }

  std::shared_ptr<grpc::Channel> Connect() {
    std::array<int, 2> ends = {};
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data());
    server->HandleConnection(ends[1], -1);
    grpc::ChannelArguments arguments;
    return grpc::CreateCustomInsecureChannelFromFd("tally-test", ends[0], arguments);
  }

  FakeRegistry registry;
  Catalog catalog;
  LiveLimits limits;
  Health health;
  std::unique_ptr<Server> server;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Training::Stub> training;
  std::unique_ptr<v1::Models::Stub> models;
  std::unique_ptr<inference::GRPCInferenceService::Stub> inference;
};

// A context that cannot hang a test.
class Context : public grpc::ClientContext {
 public:
  Context() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120)); }
};

inline v1::Samples MakeSamples(uint64_t first_sequence, int rows) {
  v1::Samples samples;
  samples.set_first_sequence(first_sequence);
  samples.set_rows(std::string(static_cast<size_t>(rows) * 6, '\1'));
  for (int i = 0; i < rows; ++i) samples.add_labels(1);
  return samples;
}

inline inference::ModelInferRequest MakeInferRequest(const std::string& model) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto* input = request.add_inputs();
  input->set_name("input");
  input->set_datatype("UINT8");
  input->add_shape(1);
  input->add_shape(6);
  request.add_raw_input_contents("\1\1\1\1\1\1");
  return request;
}

// The detail of type T in the status's trailer; null if there is none.
template <typename T>
std::unique_ptr<T> DetailOf(const grpc::Status& status) {
  google::rpc::Status rich;
  if (!rich.ParseFromString(status.error_details())) return nullptr;
  for (const auto& any : rich.details()) {
    auto detail = std::make_unique<T>();
    if (any.UnpackTo(detail.get())) return detail;
  }
  return nullptr;
}

inline std::string ReasonOf(const grpc::Status& status) {
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  return info == nullptr ? "" : info->reason();
}

}  // namespace tally::rpc

#endif  // TALLY_TESTS_DAEMON_RPC_TEST_SERVER_H_
