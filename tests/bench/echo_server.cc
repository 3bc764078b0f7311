// Goal: the floor under every RPC figure: a server that does nothing but answer.
// Method: the same service, API, transport and arguments as tallyd; ModelInfer returns ten zero
// scores.
//
//   echo_server unix:PATH

#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "inference/grpc_predict_v2.grpc.pb.h"

namespace {

class EchoService : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    response->set_model_name(request->model_name());
    response->set_model_version("0");
    auto* output = response->add_outputs();
    output->set_name("scores");
    output->set_datatype("INT32");
    output->add_shape(1);
    output->add_shape(10);
    response->add_raw_output_contents(std::string(40, '\0'));
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: echo_server unix:PATH\n");
    return 64;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  EchoService service;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[1], grpc::InsecureServerCredentials());
  builder.AddChannelArgument("grpc.http2.bdp_probe", 0);
  builder.AddChannelArgument("grpc.http2.lookahead_bytes", 65536);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  if (!server) return 69;
  std::puts("ready");
  std::fflush(stdout);
  int received = 0;
  sigwait(&signals, &received);
  server->Shutdown();
  return 0;
}
