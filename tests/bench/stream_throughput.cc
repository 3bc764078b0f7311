// Goal: samples a second through TrainStream, durable, and the server's processor time for each.
// Method: one stream a client, ROWS samples of an IDX training set a message, until the server has
// acknowledged every sample as durable and trained; wall time of all of it. Every client has a
// connection and a thread of its own. The server's processor clock is read from outside, before and
// after.
//
//   stream_throughput [--server-pid PID] [--clients N] ADDRESS MODEL IMAGES LABELS ROWS SAMPLES
//
//   SAMPLES are those of one client; prints {"samples_per_second":..} and, with PID,
//   "server_cpu_ns_per_sample"

#include <getopt.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tally/v1/training.grpc.pb.h"
#include "tests/bench/bench_support.h"

namespace {

using tally::bench::ParseCount;
using tally::v1::Training;

constexpr char kUsage[] =
    "usage: stream_throughput [--server-pid PID] [--clients N] ADDRESS MODEL IMAGES LABELS ROWS "
    "SAMPLES\n";

struct Options {
  pid_t server = 0;
  uint64_t clients = 1;
  std::string address;
  std::string model;
  std::string images;
  std::string labels;
  uint64_t rows = 0;
  uint64_t samples = 0;
};

Options Parse(int argc, char** argv) {
  Options options;
  const option known[] = {{"server-pid", required_argument, nullptr, 's'},
                          {"clients", required_argument, nullptr, 'c'},
                          {}};
  for (int name = 0; (name = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (name == 's') options.server = static_cast<pid_t>(ParseCount(optarg, kUsage));
    if (name == 'c') options.clients = ParseCount(optarg, kUsage);
  }
  if (argc - optind != 6) {
    std::fputs(kUsage, stderr);
    std::exit(64);
  }
  char** rest = argv + optind;
  options.address = rest[0];
  options.model = rest[1];
  options.images = rest[2];
  options.labels = rest[3];
  options.rows = ParseCount(rest[4], kUsage);
  options.samples = ParseCount(rest[5], kUsage);
  return options;
}

std::unique_ptr<Training::Stub> Connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all channels share a connection
  return Training::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

[[noreturn]] void Fail(const grpc::Status& status) {
  std::fprintf(stderr, "stream_throughput: %s\n", status.error_message().c_str());
  std::_Exit(69);
}

// One stream from its opening to the last acknowledgement.
void Stream(const Options& options, const tally::bench::Samples& samples,
            const std::string& source) {
  const auto stub = Connect(options.address);
  grpc::ClientContext context;
  const auto stream = stub->TrainStream(&context);
  std::thread reader([&] {
    tally::v1::TrainStreamResponse response;
    while (stream->Read(&response)) {
    }
  });
  size_t row = 0;
  for (uint64_t sent = 0; sent < options.samples;) {
    const size_t count = std::min<uint64_t>(options.rows, options.samples - sent);
    if (row + count > samples.count()) row = 0;
    tally::v1::TrainStreamRequest request;
    if (sent == 0) {
      request.set_model(options.model);
      request.set_source(source);
      request.set_durability(tally::v1::DURABILITY_DURABLE);
    }
    request.mutable_samples()->set_first_sequence(sent + 1);
    request.mutable_samples()->set_rows(samples.row(row), count * samples.row_bytes);
    const auto labels = samples.Labels(row, count);
    request.mutable_samples()->mutable_labels()->Add(labels.begin(), labels.end());
    if (!stream->Write(request)) break;
    sent += count;
    row += count;
  }
  stream->WritesDone();
  reader.join();
  if (const grpc::Status status = stream->Finish(); !status.ok()) Fail(status);
}

// Answers when everything before it is part of the weights.
void Flush(const Options& options) {
  grpc::ClientContext context;
  tally::v1::FlushRequest request;
  tally::v1::FlushResponse response;
  request.set_model(options.model);
  const grpc::Status status = Connect(options.address)->Flush(&context, request, &response);
  if (!status.ok()) Fail(status);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const tally::bench::Samples samples = tally::bench::ReadSamples(options.images, options.labels);
  const int64_t begin_ns = tally::bench::WallNs();
  const int64_t cpu_begin_ns = tally::bench::CpuNsOf(options.server);
  std::vector<std::thread> clients;
  for (uint64_t i = 0; i < options.clients; ++i) {
    clients.emplace_back([&, source = "bench-" + std::to_string(begin_ns) + "-" +
                                      std::to_string(i)] { Stream(options, samples, source); });
  }
  for (std::thread& client : clients) client.join();
  Flush(options);
  const auto cpu_ns = static_cast<double>(tally::bench::CpuNsOf(options.server) - cpu_begin_ns);
  const auto wall_ns = static_cast<double>(tally::bench::WallNs() - begin_ns);
  const auto trained = static_cast<double>(options.clients * options.samples);
  std::printf("{\"samples_per_second\":%.0f", trained * 1e9 / wall_ns);
  if (options.server != 0) std::printf(",\"server_cpu_ns_per_sample\":%.1f", cpu_ns / trained);
  std::puts("}");
  return 0;
}
