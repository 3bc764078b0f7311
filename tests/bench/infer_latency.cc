// Goal: latency of a one-row ModelInfer.
// Method: one client, one call after another, raw contents; percentiles over all calls after a warm-up.
//
//   infer_latency ADDRESS MODEL INPUT_BYTES CALLS      prints {"p50_us":..,"p99_us":..}

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "inference/grpc_predict_v2.grpc.pb.h"

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: infer_latency ADDRESS MODEL INPUT_BYTES CALLS\n");
    return 64;
  }
  const auto input_bytes = static_cast<size_t>(std::atoll(argv[3]));
  const int calls = std::atoi(argv[4]);
  const auto stub = inference::GRPCInferenceService::NewStub(
      grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));

  inference::ModelInferRequest request;
  request.set_model_name(argv[2]);
  auto* input = request.add_inputs();
  input->set_name("input");
  input->set_datatype("UINT8");
  input->add_shape(1);
  input->add_shape(static_cast<int64_t>(input_bytes));
  auto* scores = request.add_outputs();
  scores->set_name("scores");
  std::string row(input_bytes, '\0');
  for (size_t i = 0; i < input_bytes; i += 5) row[i] = static_cast<char>(i * 7);  // a fifth non-zero
  request.add_raw_input_contents(row);

  std::vector<int64_t> nanoseconds;
  const int warm_up = calls / 10;
  for (int i = 0; i < calls + warm_up; ++i) {
    grpc::ClientContext context;
    inference::ModelInferResponse response;
    const auto begin = std::chrono::steady_clock::now();
    const grpc::Status status = stub->ModelInfer(&context, request, &response);
    const auto end = std::chrono::steady_clock::now();
    if (!status.ok()) {
      std::fprintf(stderr, "infer_latency: %s\n", status.error_message().c_str());
      return 69;
    }
    if (i >= warm_up) nanoseconds.push_back((end - begin).count());
  }
  std::sort(nanoseconds.begin(), nanoseconds.end());
  const auto at = [&](size_t permille) {
    return nanoseconds[std::min(nanoseconds.size() - 1, nanoseconds.size() * permille / 1000)] / 1000;
  };
  std::printf("{\"p50_us\":%lld,\"p99_us\":%lld}\n", static_cast<long long>(at(500)),
              static_cast<long long>(at(990)));
  return 0;
}
