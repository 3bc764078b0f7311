// Goal: how the time of a training step grows with batch size, width and depth.
// Method: networks around 784-100-50-10 with one thing varied at a time, real MNIST rows, error
// feedback as in the zoo, one thread; processor time of a step, the median of slices, after a
// warm-up. The inverse learning rate grows with what is summed, so that the weights stay in their
// range.
//
//   train_scaling IMAGES LABELS [MILLISECONDS]      MILLISECONDS of measuring a point, default 300
//
//   prints CSV: axis,value,multiplications_per_step,ns_per_step; the axis "peak" is the processor's
//   fastest loop at the active level: value is the bits of its operands

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/kernels/level.h"
#include "tests/bench/bench_support.h"
#include "tests/bench/peak_loops.h"

namespace {

constexpr char kUsage[] = "usage: train_scaling IMAGES LABELS [MILLISECONDS]\n";
constexpr int64_t kSlices = 11;

struct Point {
  const char* axis;
  uint32_t value;
  uint32_t batch;
  std::vector<uint32_t> hidden;
};

std::vector<Point> Points() {
  std::vector<Point> points;
  for (uint32_t batch = 1; batch <= 512; batch *= 2) {
    points.push_back({"batch", batch, batch, {100, 50}});
  }
  for (uint32_t width = 16; width <= 2048; width *= 2) {
    points.push_back({"width", width, 64, {width, width}});
  }
  for (uint32_t depth = 1; depth <= 16; depth *= 2) {
    points.push_back({"depth", depth, 64, std::vector<uint32_t>(depth, 256)});
  }
  return points;
}

tally::ModelSpec SpecOf(const Point& point) {
  tally::ModelSpec spec = *tally::ZooSpec("pocketnn/mnist-mlp");
  spec.batch_size = point.batch;
  spec.layers.clear();
  for (const uint32_t units : point.hidden) spec.layers.push_back({units});
  spec.layers.push_back({spec.classes});
  spec.learning_rate = {{0, 70 * std::max<uint32_t>(10, point.batch)}};
  return spec;
}

// Forward, the gradient of every weight, and the feedback of the output's error to every hidden
// layer.
uint64_t MultiplicationsPerStep(const tally::ModelSpec& spec) {
  uint64_t products = 0;
  uint64_t inputs = spec.InputElements();
  for (const tally::LayerSpec& layer : spec.layers) {
    products += 2 * inputs * layer.units + uint64_t{spec.classes} * layer.units;
    inputs = layer.units;
  }
  return (products - uint64_t{spec.classes} * spec.classes) * spec.batch_size;
}

int64_t NsPerStep(tally::Learner& learner, const tally::bench::Samples& samples,
                  int64_t measure_ns) {
  const size_t rows = learner.spec().batch_size;
  size_t first = 0;
  const auto steps_ns = [&](int64_t steps) {
    const int64_t begin = tally::bench::ThreadCpuNs();
    for (int64_t i = 0; i < steps; ++i) {
      if (first + rows > samples.count()) first = 0;
      learner.TrainStep(samples.Rows(first, rows), samples.Labels(first, rows));
      first += rows;
    }
    return tally::bench::ThreadCpuNs() - begin;
  };
  steps_ns(10);
  const int64_t probe_ns = std::max<int64_t>(1, steps_ns(10) / 10);
  const int64_t steps = std::max<int64_t>(1, measure_ns / kSlices / probe_ns);
  std::vector<int64_t> slices;
  for (int64_t i = 0; i < kSlices; ++i) slices.push_back(steps_ns(steps) / steps);
  return tally::bench::Median(slices);
}

// What the multiplications of a step would take if nothing but they were done.
void PrintPeak(int bits, const tally::bench::PeakLoop& peak) {
  if (peak.run == nullptr) return;
  constexpr size_t kTurns = 1'000'000;
  std::vector<int64_t> slices;
  for (int64_t i = 0; i < kSlices; ++i) {
    const int64_t begin = tally::bench::ThreadCpuNs();
    peak.run(kTurns);
    slices.push_back(tally::bench::ThreadCpuNs() - begin);
  }
  std::printf("peak,%d,%.0f,%lld\n", bits, peak.products_per_turn * kTurns,
              static_cast<long long>(tally::bench::Median(slices)));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  const auto milliseconds =
      argc == 4 ? static_cast<int64_t>(tally::bench::ParseCount(argv[3], kUsage)) : 300;
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[1], argv[2]);
  std::puts("axis,value,multiplications_per_step,ns_per_step");
  const tally::kernels::Level level = tally::kernels::ActiveLevel();
  PrintPeak(8, tally::bench::Int8Peak(level));
  PrintPeak(16, tally::bench::Int16Peak(level));
  for (const Point& point : Points()) {
    const tally::ModelSpec spec = SpecOf(point);
    const auto learner = tally::MakeLearner(spec);
    if (!learner.ok()) {
      std::fprintf(stderr, "train_scaling: %s\n", learner.status().ToString().c_str());
      return 70;
    }
    std::printf("%s,%u,%llu,%lld\n", point.axis, point.value,
                static_cast<unsigned long long>(MultiplicationsPerStep(spec)),
                static_cast<long long>(NsPerStep(**learner, samples, milliseconds * 1'000'000)));
    std::fflush(stdout);
  }
  return 0;
}
