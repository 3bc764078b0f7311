// Goal: training and prediction samples a second in process, without daemon or journal.
// Method: one pass over an IDX training set in the order of epoch 0, mini-batches gathered
// beforehand, on one thread; wall time and, for busy machines, the thread's own CPU time.
//
//   train_throughput IMAGES LABELS [NETWORK [ROWS]]
//
// NETWORK defaults to pocketnn/mnist-mlp, ROWS (of a mini-batch) to what the network has;
//   prints {"samples_per_second":..,"cpu_samples_per_second":..,"predictions_per_cpu_second":..}

#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/arithmetic/shuffle.h"

namespace {

// The payload of an IDX file behind a header of `header_bytes`.
std::string ReadPayload(const char* path, size_t header_bytes) {
  gzFile file = gzopen(path, "rb");
  if (file == nullptr) {
    std::fprintf(stderr, "train_throughput: cannot open %s\n", path);
    std::exit(66);
  }
  std::string bytes;
  char buffer[1 << 16];
  for (int n = 0; (n = gzread(file, buffer, sizeof buffer)) > 0;) {
    bytes.append(buffer, static_cast<size_t>(n));
  }
  gzclose(file);
  return bytes.substr(header_bytes);
}

double CpuSeconds() {
  timespec time = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Samples {
  std::vector<std::byte> pixels;
  std::vector<uint32_t> labels;
  size_t row_bytes = 0;

  tally::RowBatch Rows(size_t first, size_t count) const {
    return {std::span(pixels).subspan(first * row_bytes, count * row_bytes), count};
  }
};

// The samples in the order of epoch 0.
Samples ReadShuffled(const char* images, const char* labels) {
  const std::string pixel_bytes = ReadPayload(images, 16);
  const std::string label_bytes = ReadPayload(labels, 8);
  Samples samples;
  samples.row_bytes = pixel_bytes.size() / label_bytes.size();
  samples.pixels.resize(pixel_bytes.size());
  std::byte* to = samples.pixels.data();
  for (const uint32_t i : tally::EpochOrder(1, 0, static_cast<uint32_t>(label_bytes.size()))) {
    std::memcpy(to, pixel_bytes.data() + i * samples.row_bytes, samples.row_bytes);
    to += samples.row_bytes;
    samples.labels.push_back(static_cast<unsigned char>(label_bytes[i]));
  }
  return samples;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "usage: train_throughput IMAGES LABELS [NETWORK [ROWS]]\n");
    return 64;
  }
  auto spec = tally::ZooSpec(argc >= 4 ? argv[3] : "pocketnn/mnist-mlp");
  if (!spec.ok()) {
    std::fprintf(stderr, "train_throughput: %s\n", spec.status().ToString().c_str());
    return 64;
  }
  if (argc == 5) {
    spec->batch_size = static_cast<uint32_t>(std::atoi(argv[4]));
  }
  auto learner = tally::MakeLearner(*spec);
  if (!learner.ok()) {
    std::fprintf(stderr, "train_throughput: %s\n", learner.status().ToString().c_str());
    return 65;
  }
  const Samples samples = ReadShuffled(argv[1], argv[2]);
  if (const uint32_t wanted = (*learner)->calibration_samples_wanted(); wanted > 0) {
    (*learner)->Calibrate(samples.Rows(0, wanted));
  }
  const size_t batch = spec->batch_size;
  const size_t batches = samples.labels.size() / batch;
  const auto wall_start = std::chrono::steady_clock::now();
  const double cpu_start = CpuSeconds();
  uint64_t correct = 0;
  for (size_t b = 0; b < batches; ++b) {
    correct += (*learner)
                   ->TrainStep(samples.Rows(b * batch, batch),
                               std::span(samples.labels).subspan(b * batch, batch))
                   .correct;
  }
  const double cpu = CpuSeconds() - cpu_start;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - wall_start;

  const auto predictor = (*learner)->MakePredictor();
  const size_t predicted = std::min<size_t>(samples.labels.size(), 20000);
  std::vector<int32_t> scores(predicted * spec->classes);
  const double predict_start = CpuSeconds();
  predictor->Predict(samples.Rows(0, predicted), scores);
  const double predict_cpu = CpuSeconds() - predict_start;

  const double trained = static_cast<double>(batches * batch);
  std::printf(
      "{\"samples_per_second\":%.0f,\"cpu_samples_per_second\":%.0f,"
      "\"predictions_per_cpu_second\":%.0f,\"train_correct\":%llu}\n",
      trained / wall.count(), trained / cpu, static_cast<double>(predicted) / predict_cpu,
      static_cast<unsigned long long>(correct));
  return 0;
}
