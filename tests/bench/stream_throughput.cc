// Goal: samples a second through TrainStream, durable.
// Method: one stream, ROWS samples a message from an IDX image file's pixels, until the server has acknowledged
// every sample as durable and trained; wall time of all of it.
//
//   stream_throughput ADDRESS MODEL IMAGES LABELS ROWS SAMPLES      prints {"samples_per_second":..}

#include <grpcpp/grpcpp.h>
#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tally/v1/training.grpc.pb.h"

namespace {

// The payload of an IDX file behind a header of `header_bytes`.
std::string ReadPayload(const char* path, size_t header_bytes) {
  gzFile file = gzopen(path, "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "stream_throughput: cannot open %s\n", path);
    std::exit(66);
  }
  std::string bytes;
  char buffer[1 << 16];
  for (int n = 0; (n = gzread(file, buffer, sizeof buffer)) > 0;) bytes.append(buffer, static_cast<size_t>(n));
  gzclose(file);
  return bytes.substr(header_bytes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: stream_throughput ADDRESS MODEL IMAGES LABELS ROWS SAMPLES\n");
    return 64;
  }
  const std::string pixels = ReadPayload(argv[3], 16);
  const std::string labels = ReadPayload(argv[4], 8);
  const auto rows = static_cast<size_t>(std::atoll(argv[5]));
  const auto samples = static_cast<size_t>(std::atoll(argv[6]));
  const size_t row_bytes = pixels.size() / labels.size();
  const auto stub =
      tally::v1::Training::NewStub(grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));

  const std::string source = "bench-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
  const auto begin = std::chrono::steady_clock::now();
  grpc::ClientContext context;
  const auto stream = stub->TrainStream(&context);
  std::thread reader([&] {
    tally::v1::TrainStreamResponse response;
    while (stream->Read(&response)) {
    }
  });
  for (size_t sent = 0; sent < samples;) {
    tally::v1::TrainStreamRequest request;
    if (sent == 0) {
      request.set_model(argv[2]);
      request.set_source(source);
      request.set_durability(tally::v1::DURABILITY_DURABLE);
    }
    request.mutable_samples()->set_first_sequence(sent + 1);
    const size_t count = std::min(rows, samples - sent);
    for (size_t i = 0; i < count; ++i) {
      const size_t row = (sent + i) % labels.size();
      request.mutable_samples()->mutable_rows()->append(pixels, row * row_bytes, row_bytes);
      request.mutable_samples()->add_labels(static_cast<unsigned char>(labels[row]));
    }
    if (!stream->Write(request)) break;
    sent += count;
  }
  stream->WritesDone();
  reader.join();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) {
    std::fprintf(stderr, "stream_throughput: %s\n", status.error_message().c_str());
    return 69;
  }
  // Trained, too: a flush answers when everything before it is part of the weights.
  grpc::ClientContext flush_context;
  tally::v1::FlushRequest flush;
  tally::v1::FlushResponse flushed;
  flush.set_model(argv[2]);
  if (!stub->Flush(&flush_context, flush, &flushed).ok()) return 69;
  const auto ns = (std::chrono::steady_clock::now() - begin).count();
  std::printf("{\"samples_per_second\":%lld}\n",
              static_cast<long long>(samples) * 1'000'000'000LL / static_cast<long long>(ns));
  return 0;
}
