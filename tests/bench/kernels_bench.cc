// Speed of the matrix products: GMAC/s, share of what the level's multiplication can do in
// registers, and oneDNN beside it.
//
//   taskset -c 1 build/release/bin/kernels_bench [--benchmark_filter=int8/avx512]
//
// Each turn times, by the thread's CPU clock and one after the other, a batch of products, the peak
// loop, and oneDNN's packed primitive; the counters are medians over the turns, ratios those of the
// turns. So a clock that drifts, or a neighbour, hits all three. `share` counts no padding: 100
// columns are 100.

#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/level.h"
#include "core/kernels/packed_gemm.h"
#include "core/tensor/tensor.h"
#include "tests/bench/peak_loops.h"
#ifdef TALLY_HAS_ONEDNN
#include "tests/bench/onednn_product.h"
#endif

namespace tally {
namespace {

using kernels::Level;
using kernels::PackedMatrix;
using kernels::RowsView;

struct Shape3 {
  size_t rows, columns, depth;
  double products() const { return static_cast<double>(rows * columns * depth); }
};

// Perceptrons at batch sizes 1 to 256, convolutions as products, big square-ish ones.
constexpr Shape3 kShapes[] = {{1, 100, 784},  {1, 50, 100},     {1, 512, 512},     {20, 100, 784},
                              {20, 50, 100},  {20, 10, 50},     {20, 512, 512},    {20, 512, 3136},
                              {64, 100, 784}, {64, 512, 512},   {64, 512, 3136},   {256, 100, 784},
                              {256, 50, 100}, {256, 512, 512},  {1024, 128, 1152}, {1024, 64, 576},
                              {1024, 64, 27}, {256, 256, 2304}, {576, 6, 25},      {64, 16, 150}};

// Errors of fully connected layers and convolutions.
constexpr Shape3 kTransposedShapes[] = {{1, 100, 50},    {20, 100, 50},   {64, 100, 50},
                                        {20, 512, 512},  {64, 512, 512},  {64, 800, 500},
                                        {64, 3136, 512}, {1024, 576, 64}, {1024, 1152, 128}};

// Gradients: inputs, units, samples.
constexpr Shape3 kGradientShapes[] = {{784, 100, 20}, {784, 100, 64}, {100, 50, 20},
                                      {512, 512, 64}, {800, 500, 64}, {1152, 128, 1024},
                                      {27, 64, 16384}};

double ThreadSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Work>
double Time(size_t repeats, const Work& work) {
  const double begin = ThreadSeconds();
  for (size_t i = 0; i < repeats; ++i) work();
  return ThreadSeconds() - begin;
}

// Some 200 microseconds of work for a fast machine.
size_t Repeats(double products) { return std::max<size_t>(1, static_cast<size_t>(4e7 / products)); }

double Median(std::vector<double>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <class T>
Tensor<T> RandomMatrix(size_t rows, size_t columns, int limit) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> uniform(-limit, limit);
  Tensor<T> matrix(Shape({rows, columns}));
  for (T& element : matrix.elements()) element = static_cast<T>(uniform(random));
  return matrix;
}

// Runs `work`, which does `products` multiplications, beside the peak loop and, if there is one, a
// peer.
template <class Work, class Peer>
void Compare(benchmark::State& state, double products, const bench::PeakLoop& peak,
             const Work& work, const Peer* peer) {
  constexpr size_t kPeakTurns = 10000;
  const size_t repeats = Repeats(products);
  std::vector<double> rates, shares, ratios;
  work();
  for (auto _ : state) {
    const double seconds = Time(repeats, work);
    state.SetIterationTime(seconds);
    const double rate = products * static_cast<double>(repeats) / seconds;
    rates.push_back(rate);
    if (peak.run != nullptr) {
      const double peak_seconds = Time(1, [&] { peak.run(kPeakTurns); });
      shares.push_back(rate / (peak.products_per_turn * kPeakTurns / peak_seconds));
    }
    if (peer != nullptr) ratios.push_back(Time(repeats, [&] { (*peer)(); }) / seconds);
  }
  state.counters["GMAC/s"] = Median(rates) / 1e9;
  if (!shares.empty()) state.counters["share"] = Median(shares);
  if (!ratios.empty()) state.counters["vs_oneDNN"] = Median(ratios);
}

// No peer.
template <class Work>
void Measure(benchmark::State& state, double products, const bench::PeakLoop& peak,
             const Work& work) {
  Compare(state, products, peak, work, static_cast<const Work*>(nullptr));
}

void MultiplyInt8(benchmark::State& state, Level level, Shape3 shape) {
  SetActiveLevel(level);
  const auto x = RandomMatrix<int8_t>(shape.rows, shape.depth, 127);
  const auto plain = RandomMatrix<int8_t>(shape.depth, shape.columns, 127);
  PackedMatrix<int8_t> w(shape.depth, shape.columns);
  w.Pack(plain.matrix());
  Tensor<int32_t> z(Shape({shape.rows, shape.columns}));
  const auto work = [&] { PackedGemm(RowsView<int8_t>(x.matrix()), w, z.matrix()); };
#ifdef TALLY_HAS_ONEDNN
  Tensor<int32_t> peer_z(z.shape());
  bench::OneDnnProduct product(x.matrix(), plain.matrix(), peer_z.matrix());
  const auto peer = [&] { product.Run(); };
  Compare(state, shape.products(), bench::Int8Peak(level), work, &peer);
  if (!std::equal(z.elements().begin(), z.elements().end(), peer_z.elements().begin())) {
    state.SkipWithError("oneDNN has another result");
  }
#else
  Measure(state, shape.products(), bench::Int8Peak(level), work);
#endif
}

// Activations by weights as PocketNN has them. Sum is int64 unless the bounds allow int32.
template <class Sum>
void MultiplyInt16(benchmark::State& state, Level level, Shape3 shape) {
  constexpr int kWeightMax = sizeof(Sum) == 8 ? 32767 : 500;
  SetActiveLevel(level);
  const auto x = RandomMatrix<int16_t>(shape.rows, shape.depth, 127);
  const auto plain = RandomMatrix<int16_t>(shape.depth, shape.columns, kWeightMax);
  PackedMatrix<int16_t> w(shape.depth, shape.columns);
  w.Pack(plain.matrix());
  Tensor<Sum> z(Shape({shape.rows, shape.columns}));
  const auto work = [&] {
    PackedGemm(RowsView<int16_t>(x.matrix()), w, {127, kWeightMax}, z.matrix());
  };
  Measure(state, shape.products(), bench::Int16Peak(level), work);
}

// Errors: `depth` is what the sums run over, the columns of the weights.
void MultiplyInt8Transposed(benchmark::State& state, Level level, Shape3 shape) {
  SetActiveLevel(level);
  const auto d = RandomMatrix<int8_t>(shape.rows, shape.depth, 127);
  PackedMatrix<int8_t> w(shape.columns, shape.depth);
  w.Pack(RandomMatrix<int8_t>(shape.columns, shape.depth, 127).matrix());
  Tensor<int32_t> e(Shape({shape.rows, shape.columns}));
  Measure(state, shape.products(), bench::Int8Peak(level),
          [&] { PackedGemmTransposed(RowsView<int8_t>(d.matrix()), w, e.matrix()); });
}

void MultiplyInt16Transposed(benchmark::State& state, Level level, Shape3 shape) {
  SetActiveLevel(level);
  const auto d = RandomMatrix<int16_t>(shape.rows, shape.depth, 127);
  PackedMatrix<int16_t> w(shape.columns, shape.depth);
  w.Pack(RandomMatrix<int16_t>(shape.columns, shape.depth, 500).matrix());
  Tensor<int32_t> e(Shape({shape.rows, shape.columns}));
  Measure(state, shape.products(), bench::Int16Peak(level), [&] {
    PackedGemmTransposed(RowsView<int16_t>(d.matrix()), w, {127, 500}, e.matrix());
  });
}

// Weight gradients: `rows` inputs by `columns` units, summed over `depth` samples.
void SumInt8Gradient(benchmark::State& state, Level level, Shape3 shape) {
  SetActiveLevel(level);
  const auto x = RandomMatrix<int8_t>(shape.depth, shape.rows, 127);
  const auto d = RandomMatrix<int8_t>(shape.depth, shape.columns, 127);
  kernels::PanelSums<int32_t> sums(shape.rows, shape.columns);
  Measure(state, shape.products(), bench::Int8Peak(level),
          [&] { GradientGemm(RowsView<int8_t>(x.matrix()), RowsView<int8_t>(d.matrix()), sums); });
}

void SumInt16Gradient(benchmark::State& state, Level level, Shape3 shape) {
  SetActiveLevel(level);
  const auto x = RandomMatrix<int16_t>(shape.depth, shape.rows, 255);
  const auto d = RandomMatrix<int16_t>(shape.depth, shape.columns, 500);
  kernels::PanelSums<int32_t> sums(shape.rows, shape.columns);
  Measure(state, shape.products(), bench::Int16Peak(level), [&] {
    GradientGemm(RowsView<int16_t>(x.matrix()), RowsView<int16_t>(d.matrix()), {255, 500}, sums);
  });
}

using Benchmark = void (*)(benchmark::State&, Level, Shape3);

void Register(const std::string& name, Benchmark run, Level level, const Shape3& shape) {
  const std::string full_name = name + "/" + std::string(LevelName(level)) + "/" +
                                std::to_string(shape.rows) + "x" + std::to_string(shape.columns) +
                                "x" + std::to_string(shape.depth);
  benchmark::RegisterBenchmark(full_name.c_str(),
                               [=](benchmark::State& state) { run(state, level, shape); })
      ->UseManualTime()
      ->MinTime(0.05)
      ->Unit(benchmark::kMicrosecond);
}

void RegisterAll() {
  for (const Level level : kernels::UsableLevels()) {
    for (const Shape3& shape : kShapes) {
      Register("int8", MultiplyInt8, level, shape);
      Register("int16", MultiplyInt16<int32_t>, level, shape);
      Register("int16_to_int64", MultiplyInt16<int64_t>, level, shape);
    }
    for (const Shape3& shape : kTransposedShapes) {
      Register("int8_transposed", MultiplyInt8Transposed, level, shape);
      Register("int16_transposed", MultiplyInt16Transposed, level, shape);
    }
    for (const Shape3& shape : kGradientShapes) {
      Register("int8_gradient", SumInt8Gradient, level, shape);
      Register("int16_gradient", SumInt16Gradient, level, shape);
    }
  }
}

}  // namespace
}  // namespace tally

int main(int argc, char** argv) {
  tally::RegisterAll();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 64;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
