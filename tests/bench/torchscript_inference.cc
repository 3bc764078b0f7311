// Goal: the float peer of one-row inference: TorchScript, frozen, called from C++.
// Method: 784-100-50-10 with leaky ReLU as a script module, frozen and optimised for inference; one
// row of floats, made beforehand, a call; processor time in slices of a thousand calls, of which
// the median counts.
//
//   torchscript_inference IMAGES LABELS PREDICTIONS      prints {"ns_per_row":..}

#include <torch/script.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "tests/bench/bench_support.h"

namespace {

constexpr char kUsage[] = "usage: torchscript_inference IMAGES LABELS PREDICTIONS\n";
constexpr int64_t kSliceCalls = 1000;
constexpr int64_t kRowsKept = 10000;

torch::jit::Module FrozenNetwork(int64_t inputs) {
  torch::jit::Module network("network");
  const std::vector<int64_t> units = {inputs, 100, 50, 10};
  for (size_t i = 0; i + 1 < units.size(); ++i) {
    const double bound = std::sqrt(6.0 / static_cast<double>(units[i]));
    const std::string layer = std::to_string(i);
    network.register_parameter(
        "w" + layer, torch::empty({units[i + 1], units[i]}).uniform_(-bound, bound), false);
    network.register_parameter("b" + layer, torch::zeros({units[i + 1]}), false);
  }
  network.define(R"(
    def forward(self, x):
        x = torch.leaky_relu(torch.linear(x, self.w0, self.b0))
        x = torch.leaky_relu(torch.linear(x, self.w1, self.b1))
        return torch.linear(x, self.w2, self.b2)
  )");
  network.eval();
  return torch::jit::optimize_for_inference(network);  // freezes first
}

std::vector<torch::Tensor> Rows(const tally::bench::Samples& samples) {
  std::vector<torch::Tensor> rows;
  const auto count = std::min<int64_t>(kRowsKept, static_cast<int64_t>(samples.count()));
  for (int64_t i = 0; i < count; ++i) {
    const auto* pixels = samples.row(static_cast<size_t>(i));
    rows.push_back(torch::from_blob(const_cast<std::byte*>(pixels),
                                    {1, static_cast<int64_t>(samples.row_bytes)}, torch::kUInt8)
                       .to(torch::kFloat) /
                   255);
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  at::set_num_threads(1);
  at::set_num_interop_threads(1);
  const auto slices =
      static_cast<int64_t>(tally::bench::ParseCount(argv[3], kUsage)) / kSliceCalls + 1;
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[1], argv[2]);
  const std::vector<torch::Tensor> rows = Rows(samples);
  const c10::InferenceMode inference;
  torch::jit::Module network = FrozenNetwork(static_cast<int64_t>(samples.row_bytes));

  std::vector<int64_t> slice_ns;
  size_t next = 0;
  for (int64_t slice = 0; slice <= slices; ++slice) {
    const int64_t begin = tally::bench::ThreadCpuNs();
    for (int64_t call = 0; call < kSliceCalls; ++call) {
      network.forward({rows[next]});
      next = (next + 1) % rows.size();
    }
    if (slice > 0) slice_ns.push_back(tally::bench::ThreadCpuNs() - begin);  // the first warms up
  }
  std::printf("{\"ns_per_row\":%.1f}\n", static_cast<double>(tally::bench::Median(slice_ns)) /
                                             static_cast<double>(kSliceCalls));
  return 0;
}
