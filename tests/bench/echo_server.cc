// Goal: the floor under every RPC figure: a server that does nothing but answer; and whether it is
// lower with gRPC's callbacks, which tallyd uses, or with a completion queue and a thread.
// Method: the same service, API, transport and arguments as tallyd; ModelInfer returns ten zero
// scores.
//
//   echo_server [--completion-queue] unix:PATH

#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "inference/grpc_predict_v2.grpc.pb.h"

namespace {

constexpr int kWaitingCalls = 16;  // that the completion queue has ready for clients

void Answer(const inference::ModelInferRequest& request, inference::ModelInferResponse& response) {
  response.set_model_name(request.model_name());
  response.set_model_version("0");
  auto* output = response.add_outputs();
  output->set_name("scores");
  output->set_datatype("INT32");
  output->add_shape(1);
  output->add_shape(10);
  response.add_raw_output_contents(std::string(40, '\0'));
}

class CallbackEcho : public inference::GRPCInferenceService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const inference::ModelInferRequest* request,
                                       inference::ModelInferResponse* response) override {
    Answer(*request, *response);
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// The queue's thread answers every call itself.
class QueueEcho {
 public:
  void AddTo(grpc::ServerBuilder& builder) {
    builder.RegisterService(&service_);
    queue_ = builder.AddCompletionQueue();
  }
  void Start() {
    for (int i = 0; i < kWaitingCalls; ++i) Await();
    thread_ = std::thread([this] { Run(); });
  }
  void Stop() {
    queue_->Shutdown();
    thread_.join();
  }

 private:
  struct Call {
    grpc::ServerContext context;
    inference::ModelInferRequest request;
    grpc::ServerAsyncResponseWriter<inference::ModelInferResponse> writer{&context};
    bool answered = false;
  };

  void Await() {
    auto* call = new Call;
    service_.RequestModelInfer(&call->context, &call->request, &call->writer, queue_.get(),
                               queue_.get(), call);
  }
  void Run() {
    void* tag = nullptr;
    bool ok = false;
    while (queue_->Next(&tag, &ok)) {
      std::unique_ptr<Call> call(static_cast<Call*>(tag));
      if (!ok || call->answered) continue;
      Await();
      inference::ModelInferResponse response;
      Answer(call->request, response);
      call->answered = true;
      Call* under_way = call.release();
      under_way->writer.Finish(response, grpc::Status::OK, under_way);
    }
  }

  inference::GRPCInferenceService::AsyncService service_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool by_queue = argc == 3 && std::strcmp(argv[1], "--completion-queue") == 0;
  if (argc != 2 && !by_queue) {
    std::fprintf(stderr, "usage: echo_server [--completion-queue] unix:PATH\n");
    return 64;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  CallbackEcho callback_echo;
  QueueEcho queue_echo;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(argv[argc - 1], grpc::InsecureServerCredentials());
  builder.AddChannelArgument("grpc.http2.bdp_probe", 0);
  builder.AddChannelArgument("grpc.http2.lookahead_bytes", 65536);
  if (by_queue) {
    queue_echo.AddTo(builder);
  } else {
    builder.RegisterService(&callback_echo);
  }
  const auto server = builder.BuildAndStart();
  if (!server) return 69;
  if (by_queue) queue_echo.Start();
  std::puts("ready");
  std::fflush(stdout);
  int received = 0;
  sigwait(&signals, &received);
  server->Shutdown();
  if (by_queue) queue_echo.Stop();
  return 0;
}
