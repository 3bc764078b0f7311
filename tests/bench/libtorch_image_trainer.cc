// Goal: the usual float peer for convolutional networks: the same layers in libtorch's C++ front
// end.
// Method: ReLU, max-pooling, cross-entropy, autograd, plain SGD; tensors of floats made beforehand,
// mini-batches are views of them; one thread. Both of torch's memory formats, one after the other;
// the faster one counts.
//
//   libtorch_image_trainer IMAGES LABELS NETWORK ROWS SAMPLES
//
// NETWORK: lenet (niti/lenet) or vgg (vgg.yaml here). Prints
// {"cpu_samples_per_second":..,"train_permille":..,"channels_last":0 or 1}

#include <torch/torch.h>

#include <cstdio>
#include <string>

#include "tests/bench/bench_support.h"

namespace {

using torch::nn::Conv2d;
using torch::nn::Conv2dOptions;
using torch::nn::Flatten;
using torch::nn::Linear;
using torch::nn::MaxPool2d;
using torch::nn::ReLU;
using torch::nn::Sequential;

constexpr char kUsage[] = "usage: libtorch_image_trainer IMAGES LABELS lenet|vgg ROWS SAMPLES\n";
constexpr int kWarmUpSteps = 3;

Sequential Lenet() {
  return Sequential(Conv2d(1, 20, 5), ReLU(), MaxPool2d(2), Conv2d(20, 50, 5), ReLU(), MaxPool2d(2),
                    Flatten(), Linear(800, 500), ReLU(), Linear(500, 10));
}

Sequential Vgg() {
  Sequential network;
  int64_t channels = 3;
  for (const int64_t units : {64, 64, 0, 128, 128, 0, 256, 256, 0}) {
    if (units == 0) {
      network->push_back(MaxPool2d(2));
      continue;
    }
    network->push_back(Conv2d(Conv2dOptions(channels, units, 3).padding(1)));
    network->push_back(ReLU());
    channels = units;
  }
  network->push_back(Flatten());
  network->push_back(Linear(4096, 10));
  return network;
}

struct Result {
  double samples_per_second;
  int64_t permille;
};

class Trainer {
 public:
  Trainer(Sequential network, const tally::bench::Samples& samples, int64_t rows,
          torch::MemoryFormat format)
      : network_(network), rows_(rows), optimizer_(network->parameters(), 0.01) {
    const auto count = static_cast<int64_t>(samples.count());
    const bool grey = samples.row_bytes == 784;
    pixels_ =
        (torch::from_blob(const_cast<std::byte*>(samples.pixels.data()),
                          {count, grey ? 1 : 3, grey ? 28 : 32, grey ? 28 : 32}, torch::kUInt8)
             .to(torch::kFloat) /
         255)
            .contiguous(format);
    labels_ = torch::empty({count}, torch::kInt64);
    std::copy(samples.labels.begin(), samples.labels.end(), labels_.data_ptr<int64_t>());
    for (torch::Tensor& parameter : network_->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(format));
    }
  }

  Result Train(int64_t steps) {
    for (int i = 0; i < kWarmUpSteps; ++i) Step();
    int64_t correct = 0;
    const int64_t begin = tally::bench::ProcessCpuNs();
    for (int64_t i = 0; i < steps; ++i) Step();
    const int64_t ns = tally::bench::ProcessCpuNs() - begin;
    constexpr int kLastSteps = 5;
    for (int i = 0; i < kLastSteps; ++i) {
      const auto [scores, target] = Step();
      correct += scores.argmax(1).eq(target).sum().item<int64_t>();
    }
    return {static_cast<double>(steps * rows_) * 1e9 / static_cast<double>(ns),
            correct * 1000 / (kLastSteps * rows_)};
  }

 private:
  std::pair<torch::Tensor, torch::Tensor> Step() {
    if (first_ + rows_ > pixels_.size(0)) first_ = 0;
    const torch::Tensor scores = network_->forward(pixels_.narrow(0, first_, rows_));
    const torch::Tensor target = labels_.narrow(0, first_, rows_);
    optimizer_.zero_grad();
    torch::nn::functional::cross_entropy(scores, target).backward();
    optimizer_.step();
    first_ += rows_;
    return {scores, target};
  }

  Sequential network_;
  const int64_t rows_;
  torch::optim::SGD optimizer_;
  torch::Tensor pixels_;
  torch::Tensor labels_;
  int64_t first_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc == 6 ? argv[3] : "";
  if (name != "lenet" && name != "vgg") {
    std::fputs(kUsage, stderr);
    return 64;
  }
  at::set_num_threads(1);
  at::set_num_interop_threads(1);
  const auto rows = static_cast<int64_t>(tally::bench::ParseCount(argv[4], kUsage));
  const auto steps = static_cast<int64_t>(tally::bench::ParseCount(argv[5], kUsage)) / rows;
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[1], argv[2]);
  Result best = {};
  int best_format = 0;
  for (const int channels_last : {0, 1}) {
    torch::manual_seed(1);
    Trainer trainer(
        name == "lenet" ? Lenet() : Vgg(), samples, rows,
        channels_last == 1 ? torch::MemoryFormat::ChannelsLast : torch::MemoryFormat::Contiguous);
    const Result result = trainer.Train(std::max<int64_t>(steps, 1));
    if (result.samples_per_second <= best.samples_per_second) continue;
    best = result;
    best_format = channels_last;
  }
  std::printf("{\"cpu_samples_per_second\":%.1f,\"train_permille\":%lld,\"channels_last\":%d}\n",
              best.samples_per_second, static_cast<long long>(best.permille), best_format);
  return 0;
}
