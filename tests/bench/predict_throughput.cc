// Goal: what one prediction costs in process.
// Method: an untrained network of the zoo; real rows, ROWS at a time, one call after another on one
// thread; processor time in slices of about a thousand rows, of which the median counts.
//
//   predict_throughput IMAGES LABELS ROWS PREDICTIONS [NETWORK]
//
//   prints {"ns_per_row":..}

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "tests/bench/bench_support.h"

namespace {

constexpr char kUsage[] = "usage: predict_throughput IMAGES LABELS ROWS PREDICTIONS [NETWORK]\n";
constexpr uint64_t kSliceRows = 1000;

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5 || argc > 6) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  const uint64_t rows = tally::bench::ParseCount(argv[3], kUsage);
  const uint64_t predictions = tally::bench::ParseCount(argv[4], kUsage);
  const auto spec = tally::ZooSpec(argc == 6 ? argv[5] : "pocketnn/mnist-mlp");
  const auto learner = spec.ok() ? tally::MakeLearner(*spec) : spec.status();
  if (!learner.ok()) {
    std::fprintf(stderr, "predict_throughput: %s\n", learner.status().ToString().c_str());
    return 64;
  }
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[1], argv[2]);
  const auto predictor = (*learner)->MakePredictor();
  std::vector<int32_t> scores(rows * spec->classes);
  const uint64_t calls = std::max<uint64_t>(1, kSliceRows / rows);
  const uint64_t slices = std::max<uint64_t>(1, predictions / (calls * rows));
  std::vector<int64_t> slice_ns;
  size_t first = 0;
  for (uint64_t slice = 0; slice <= slices; ++slice) {
    const int64_t begin = tally::bench::ThreadCpuNs();
    for (uint64_t call = 0; call < calls; ++call) {
      if (first + rows > samples.count()) first = 0;
      predictor->Predict(samples.Rows(first, rows), scores);
      first += rows;
    }
    if (slice > 0) slice_ns.push_back(tally::bench::ThreadCpuNs() - begin);  // the first warms up
  }
  std::printf("{\"ns_per_row\":%.1f}\n", static_cast<double>(tally::bench::Median(slice_ns)) /
                                             static_cast<double>(calls * rows));
  return 0;
}
