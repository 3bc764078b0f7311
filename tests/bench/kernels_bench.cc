// Speed of the dense products and the convolutions: GMAC/s, share of what the
// level's multiplication can do in registers, and oneDNN beside it.
//
//   taskset -c 1 build/release/bin/kernels_bench
//   [--benchmark_filter=int8/avx512] taskset -c 1
//   build/release/bin/kernels_bench --json     one line: the measures of
//   peers.sh
//
// Each turn times, by the thread's CPU clock and one after the other, a batch
// of products, the peak loop, and oneDNN's packed primitive; the figures are
// medians over the turns, ratios those of the turns. So a clock that drifts, or
// a neighbour, hits all three. `share` counts no padding: 100 columns are 100.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/level.h"
#include "core/kernels/packed_gemm.h"
#include "core/kernels/requantise.h"
#include "core/tensor/tensor.h"
#include "tests/bench/convolution_jobs.h"
#include "tests/bench/kernel_job.h"
#include "tests/bench/peak_loops.h"
#ifdef TALLY_HAS_ONEDNN
#include "tests/bench/onednn_product.h"
#endif

namespace tally {
namespace {

using bench::Comparison;
using bench::Job;
using bench::Packed;
using bench::RandomMatrix;
using bench::Zeros;
using kernels::Level;
using kernels::PanelSums;
using kernels::RowsView;

// The result's rows and columns, and what the sums run over.
struct Size {
  size_t rows, columns, depth;
  double products() const { return static_cast<double>(rows * columns * depth); }
};

// Perceptrons at batch sizes 1 to 256, convolutions as products, small and
// large ones.
constexpr Size kSizes[] = {{1, 100, 784},   {1, 50, 100},    {1, 512, 512},     {20, 100, 784},
                           {20, 50, 100},   {20, 10, 50},    {20, 512, 512},    {20, 512, 3136},
                           {64, 100, 784},  {64, 512, 512},  {64, 512, 3136},   {256, 100, 784},
                           {256, 50, 100},  {256, 512, 512}, {256, 512, 4096},  {1024, 64, 27},
                           {1024, 64, 576}, {64, 16, 150},   {1024, 128, 1152}, {256, 256, 2304},
                           {576, 6, 25}};

// Errors of fully connected layers and convolutions.
constexpr Size kTransposedSizes[] = {{1, 100, 50},    {20, 100, 50},   {64, 100, 50},
                                     {20, 512, 512},  {64, 512, 512},  {64, 800, 500},
                                     {64, 3136, 512}, {1024, 576, 64}, {1024, 1152, 128}};

// Gradients: inputs, units, samples.
constexpr Size kGradientSizes[] = {{784, 100, 20}, {784, 100, 64}, {100, 50, 20},
                                   {512, 512, 64}, {800, 500, 64}, {1152, 128, 1024},
                                   {27, 64, 16384}};

// Where the acceptance measures look: at least 20 rows, and 512 columns and
// depth.
constexpr Size kLargeSizes[] = {
    {20, 512, 512}, {20, 512, 3136}, {64, 512, 512}, {64, 512, 3136}, {256, 512, 512}};
constexpr Size kSmallSize = {20, 100, 784};

[[maybe_unused]] bool HasVnni() {
  const auto levels = kernels::UsableLevels();
  return std::find(levels.begin(), levels.end(), Level::kAvx512) != levels.end();
}

Job Int8Product(Level level, const Size& size) {
  const auto x = RandomMatrix<int8_t>(size.rows, size.depth, 127);
  const auto plain = RandomMatrix<int8_t>(size.depth, size.columns, 127);
  const auto w = Packed(*plain);
  const auto z = Zeros<int32_t>(size.rows, size.columns);
  Job job = {size.products(), bench::Int8Peak(level),
             [=] { PackedGemm(RowsView<int8_t>(x->matrix()), *w, z->matrix()); }, nullptr};
#ifdef TALLY_HAS_ONEDNN
  const auto peer_z = Zeros<int32_t>(size.rows, size.columns);
  const auto peer =
      std::make_shared<bench::OneDnnProduct>(x->matrix(), plain->matrix(), peer_z->matrix());
  peer->Run();
  job.work();
  if (!std::equal(z->elements().begin(), z->elements().end(), peer_z->elements().begin())) {
    // Without VNNI oneDNN adds pairs of products in 16 bits, which saturate: not the same work.
    // https://oneapi-src.github.io/oneDNN/dev_guide_int8_computations.html
    if (!HasVnni()) return job;
    std::fprintf(stderr, "oneDNN has another result\n");
    std::abort();
  }
  job.peer = [=] {
    static_cast<void>(x);
    static_cast<void>(plain);
    static_cast<void>(peer_z);
    peer->Run();
  };
#endif
  return job;
}

// With the sums narrowed to int8 row by row, as inference does it.
Job Int8Layer(Level level, const Size& size) {
  const auto x = RandomMatrix<int8_t>(size.rows, size.depth, 127);
  const auto w = Packed(*RandomMatrix<int8_t>(size.depth, size.columns, 127));
  const auto z = Zeros<int32_t>(size.rows, size.columns);
  const auto a = Zeros<int8_t>(size.rows, size.columns);
  const auto narrow = [=](size_t row, size_t rows) {
    const size_t first = row * size.columns;
    const size_t count = rows * size.columns;
    kernels::Requantise(z->elements().subspan(first, count),
                        {11, kernels::Rounding::kHalfAwayFromZero, true},
                        a->elements().subspan(first, count));
  };
  return {size.products(), bench::Int8Peak(level),
          [=] { PackedGemm(RowsView<int8_t>(x->matrix()), *w, z->matrix(), narrow); }, nullptr};
}

// Activations by weights as PocketNN has them; weights of 16 bits need sums of
// int64.
template <class Sum>
Job Int16Product(Level level, const Size& size) {
  constexpr int kWeightMax = sizeof(Sum) == 8 ? 32767 : 500;
  const auto x = RandomMatrix<int16_t>(size.rows, size.depth, 127);
  const auto w = Packed(*RandomMatrix<int16_t>(size.depth, size.columns, kWeightMax));
  const auto z = Zeros<Sum>(size.rows, size.columns);
  return {size.products(), bench::Int16Peak(level),
          [=] {
            PackedGemm(RowsView<int16_t>(x->matrix()), *w, {127, kWeightMax}, z->matrix());
          },
          nullptr};
}

Job Int8Transposed(Level level, const Size& size) {
  const auto d = RandomMatrix<int8_t>(size.rows, size.depth, 127);
  const auto w = Packed(*RandomMatrix<int8_t>(size.columns, size.depth, 127));
  const auto e = Zeros<int32_t>(size.rows, size.columns);
  return {size.products(), bench::Int8Peak(level),
          [=] { PackedGemmTransposed(RowsView<int8_t>(d->matrix()), *w, e->matrix()); }, nullptr};
}

Job Int16Transposed(Level level, const Size& size) {
  const auto d = RandomMatrix<int16_t>(size.rows, size.depth, 127);
  const auto w = Packed(*RandomMatrix<int16_t>(size.columns, size.depth, 500));
  const auto e = Zeros<int32_t>(size.rows, size.columns);
  return {size.products(), bench::Int16Peak(level),
          [=] {
            PackedGemmTransposed(RowsView<int16_t>(d->matrix()), *w, {127, 500}, e->matrix());
          },
          nullptr};
}

Job Int8Gradient(Level level, const Size& size) {
  const auto x = RandomMatrix<int8_t>(size.depth, size.rows, 127);
  const auto d = RandomMatrix<int8_t>(size.depth, size.columns, 127);
  const auto sums = std::make_shared<PanelSums<int32_t>>(size.rows, size.columns);
  return {
      size.products(), bench::Int8Peak(level),
      [=] { GradientGemm(RowsView<int8_t>(x->matrix()), RowsView<int8_t>(d->matrix()), *sums); },
      nullptr};
}

Job Int16Gradient(Level level, const Size& size) {
  const auto x = RandomMatrix<int16_t>(size.depth, size.rows, 255);
  const auto d = RandomMatrix<int16_t>(size.depth, size.columns, 500);
  const auto sums = std::make_shared<PanelSums<int32_t>>(size.rows, size.columns);
  return {size.products(), bench::Int16Peak(level),
          [=] {
            GradientGemm(RowsView<int16_t>(x->matrix()), RowsView<int16_t>(d->matrix()), {255, 500},
                         *sums);
          },
          nullptr};
}

void Register(const std::string& name, Level level, const std::function<Job()>& make_job) {
  const auto run = [=](benchmark::State& state) {
    SetActiveLevel(level);
    const Job job = make_job();
    Comparison comparison(job);
    for (auto _ : state) state.SetIterationTime(comparison.Turn());
    state.counters["GMAC/s"] = comparison.rate() / 1e9;
    if (job.peak.run != nullptr) state.counters["share"] = comparison.share();
    if (job.peer) state.counters["vs_oneDNN"] = comparison.ratio();
  };
  benchmark::RegisterBenchmark(name.c_str(), run)
      ->UseManualTime()
      ->MinTime(0.05)
      ->Unit(benchmark::kMicrosecond);
}

void Register(const std::string& name, Job (*make_job)(Level, const Size&), Level level,
              const Size& size) {
  Register(name + "/" + std::string(LevelName(level)) + "/" + std::to_string(size.rows) + "x" +
               std::to_string(size.columns) + "x" + std::to_string(size.depth),
           level, [=] { return make_job(level, size); });
}

void RegisterAll() {
  for (const Level level : kernels::UsableLevels()) {
    for (const Size& size : kSizes) {
      Register("int8", Int8Product, level, size);
      Register("int8_layer", Int8Layer, level, size);
      Register("int16", Int16Product<int32_t>, level, size);
      Register("int16_to_int64", Int16Product<int64_t>, level, size);
    }
    for (const Size& size : kTransposedSizes) {
      Register("int8_transposed", Int8Transposed, level, size);
      Register("int16_transposed", Int16Transposed, level, size);
    }
    for (const Size& size : kGradientSizes) {
      Register("int8_gradient", Int8Gradient, level, size);
      Register("int16_gradient", Int16Gradient, level, size);
    }
    for (const bench::ConvolutionJob& job : bench::ConvolutionJobs()) {
      Register(job.kind + "/" + std::string(LevelName(level)) + "/" + job.layer, level,
               [=] { return job.make(level); });
    }
  }
}

bool IsUsable(Level level) {
  const auto usable = kernels::UsableLevels();
  return std::find(usable.begin(), usable.end(), level) != usable.end();
}

Comparison Compare(const Job& job) {
  constexpr int kTurns = 101;
  Comparison comparison(job);
  for (int i = 0; i < kTurns; ++i) comparison.Turn();
  return comparison;
}

// The lowest share of the peak over the large sizes, or null.
std::string LowestShare(Level level) {
  if (!IsUsable(level)) return "null";
  SetActiveLevel(level);
  double lowest = 1e9;
  for (const Size& size : kLargeSizes) {
    const Job job = Int8Product(level, size);
    lowest = std::min(lowest, Compare(job).share());
  }
  return std::to_string(lowest);
}

std::string SmallAgainstOneDnn(Level level) {
  if (!IsUsable(level)) return "null";
  SetActiveLevel(level);
  const Job job = Int8Product(level, kSmallSize);
  return job.peer ? std::to_string(Compare(job).ratio()) : "null";
}

void PrintJson() {
  std::printf(
      "{\"gemm_peak_share\": %s, \"gemm_small_vs_onednn\": %s, "
      "\"avx2_peak_share\": %s}\n",
      LowestShare(Level::kAvx512).c_str(), SmallAgainstOneDnn(Level::kAvx512).c_str(),
      LowestShare(Level::kAvx2).c_str());
}

}  // namespace
}  // namespace tally

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--json") == 0) {
    tally::PrintJson();
    return 0;
  }
  tally::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
