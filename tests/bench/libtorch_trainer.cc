// Goal: the usual float peer: the same network in libtorch's C++ front end.
// Method: 784-100-50-10, leaky ReLU, cross-entropy, autograd, plain SGD; tensors of floats made
// beforehand, mini-batches are views of them; one thread. Same samples, order and mini-batches as
// ours.
//
//   libtorch_trainer IMAGES LABELS ROWS SAMPLES
//
//   prints {"cpu_samples_per_second":..,"train_permille":..}

#include <torch/torch.h>

#include <cstdio>

#include "tests/bench/bench_support.h"

namespace {

constexpr char kUsage[] = "usage: libtorch_trainer IMAGES LABELS ROWS SAMPLES\n";
constexpr int kWarmUpSteps = 200;

torch::Tensor Pixels(const tally::bench::Samples& samples) {
  return torch::from_blob(
             const_cast<std::byte*>(samples.pixels.data()),
             {static_cast<int64_t>(samples.count()), static_cast<int64_t>(samples.row_bytes)},
             torch::kUInt8)
             .to(torch::kFloat) /
         255;
}

torch::Tensor Labels(const tally::bench::Samples& samples) {
  const torch::Tensor labels = torch::empty({static_cast<int64_t>(samples.count())}, torch::kInt64);
  std::copy(samples.labels.begin(), samples.labels.end(), labels.data_ptr<int64_t>());
  return labels;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  at::set_num_threads(1);
  at::set_num_interop_threads(1);
  torch::manual_seed(1);
  const auto rows = static_cast<int64_t>(tally::bench::ParseCount(argv[3], kUsage));
  const auto steps = static_cast<int64_t>(tally::bench::ParseCount(argv[4], kUsage)) / rows;
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[1], argv[2]);
  const torch::Tensor pixels = Pixels(samples);
  const torch::Tensor labels = Labels(samples);

  using torch::nn::LeakyReLU;
  using torch::nn::Linear;
  torch::nn::Sequential network(Linear(pixels.size(1), 100), LeakyReLU(), Linear(100, 50),
                                LeakyReLU(), Linear(50, 10));
  torch::optim::SGD optimizer(network->parameters(),
                              tally::bench::FloatRate(static_cast<uint64_t>(rows)));
  int64_t first = 0;
  const auto step = [&] {
    if (first + rows > pixels.size(0)) first = 0;
    const torch::Tensor scores = network->forward(pixels.narrow(0, first, rows));
    const torch::Tensor target = labels.narrow(0, first, rows);
    optimizer.zero_grad();
    torch::nn::functional::cross_entropy(scores, target).backward();
    optimizer.step();
    first += rows;
    return std::pair(scores, target);
  };
  for (int i = 0; i < kWarmUpSteps; ++i) step();
  const int64_t begin = tally::bench::ProcessCpuNs();
  for (int64_t i = 0; i < steps; ++i) step();
  const int64_t ns = tally::bench::ProcessCpuNs() - begin;

  // Counting what was right costs torch two more operations a step: left to the end, out of the
  // clock.
  int64_t correct = 0;
  constexpr int kLastSteps = 100;
  for (int i = 0; i < kLastSteps; ++i) {
    const auto [scores, target] = step();
    correct += scores.argmax(1).eq(target).sum().item<int64_t>();
  }
  std::printf("{\"cpu_samples_per_second\":%.0f,\"train_permille\":%lld}\n",
              static_cast<double>(steps * rows) * 1e9 / static_cast<double>(ns),
              static_cast<long long>(correct * 1000 / (kLastSteps * rows)));
  return 0;
}
