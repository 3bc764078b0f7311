// Goal: what a one-row ModelInfer costs: the wait of the client, and the server's processor time.
// Method: one client, one call after another, raw contents; percentiles over all calls after a
// warm-up. The server's processor clock is read from outside, before and after.
//
//   infer_latency [--server-pid PID] ADDRESS MODEL INPUT_BYTES CALLS
//
//   prints {"p50_us":..,"p99_us":..} and, with PID, "p50_ns" and "server_cpu_ns_per_call"

#include <getopt.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tests/bench/bench_support.h"

namespace {

using inference::GRPCInferenceService;

constexpr char kUsage[] =
    "usage: infer_latency [--server-pid PID] ADDRESS MODEL INPUT_BYTES CALLS\n";

inference::ModelInferRequest OneRow(const std::string& model, size_t input_bytes) {
  inference::ModelInferRequest request;
  request.set_model_name(model);
  auto* input = request.add_inputs();
  input->set_name("input");
  input->set_datatype("UINT8");
  input->add_shape(1);
  input->add_shape(static_cast<int64_t>(input_bytes));
  request.add_outputs()->set_name("scores");
  std::string row(input_bytes, '\0');
  for (size_t i = 0; i < input_bytes; i += 5)
    row[i] = static_cast<char>(i * 7);  // a fifth non-zero
  request.add_raw_input_contents(row);
  return request;
}

// Latencies of `calls` calls, in nanoseconds; exits if one fails.
std::vector<int64_t> Call(GRPCInferenceService::Stub& stub,
                          const inference::ModelInferRequest& request, uint64_t calls) {
  std::vector<int64_t> latencies_ns;
  latencies_ns.reserve(calls);
  for (uint64_t i = 0; i < calls; ++i) {
    grpc::ClientContext context;
    inference::ModelInferResponse response;
    const int64_t begin = tally::bench::WallNs();
    const grpc::Status status = stub.ModelInfer(&context, request, &response);
    latencies_ns.push_back(tally::bench::WallNs() - begin);
    if (!status.ok()) {
      std::fprintf(stderr, "infer_latency: %s\n", status.error_message().c_str());
      std::exit(69);
    }
  }
  return latencies_ns;
}

}  // namespace

int main(int argc, char** argv) {
  pid_t server = 0;
  const option known[] = {{"server-pid", required_argument, nullptr, 's'}, {}};
  for (int name = 0; (name = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (name == 's') server = static_cast<pid_t>(tally::bench::ParseCount(optarg, kUsage));
  }
  if (argc - optind != 4) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  const uint64_t input_bytes = tally::bench::ParseCount(argv[optind + 2], kUsage);
  const uint64_t calls = tally::bench::ParseCount(argv[optind + 3], kUsage);
  const auto stub = GRPCInferenceService::NewStub(
      grpc::CreateChannel(argv[optind], grpc::InsecureChannelCredentials()));
  const inference::ModelInferRequest request = OneRow(argv[optind + 1], input_bytes);

  Call(*stub, request, calls / 10 + 1);
  const int64_t cpu_begin = tally::bench::CpuNsOf(server);
  std::vector<int64_t> latencies_ns = Call(*stub, request, calls);
  const int64_t cpu_ns = tally::bench::CpuNsOf(server) - cpu_begin;
  std::sort(latencies_ns.begin(), latencies_ns.end());
  const auto at_ns = [&](size_t permille) { return latencies_ns[calls * permille / 1000]; };
  std::printf("{\"p50_us\":%lld,\"p99_us\":%lld", static_cast<long long>(at_ns(500) / 1000),
              static_cast<long long>(at_ns(990) / 1000));
  if (server != 0) {
    std::printf(",\"p50_ns\":%lld,\"server_cpu_ns_per_call\":%lld",
                static_cast<long long>(at_ns(500)),
                static_cast<long long>(cpu_ns / static_cast<int64_t>(calls)));
  }
  std::puts("}");
  return 0;
}
