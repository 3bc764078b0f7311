#include "tests/core/oracle/niti_golden_subject.h"

namespace tally::oracle {
namespace {

SlowNiti Mlp() {
  return SlowNiti({28, 28, 1}, {{.kind = SlowKind::kDense, .units = 100},
                                {.kind = SlowKind::kDense, .units = 50},
                                {.kind = SlowKind::kDense, .units = 10, .relu = false}});
}

SlowNiti Lenet() {
  const auto convolution = [](int64_t units) {
    return SlowNitiLayer{
        .kind = SlowKind::kConvolution, .units = units, .kernel_height = 5, .kernel_width = 5};
  };
  const SlowNitiLayer pool{.kind = SlowKind::kMaxPool, .kernel_height = 2, .kernel_width = 2};
  return SlowNiti({28, 28, 1}, {convolution(20),
                                pool,
                                convolution(50),
                                pool,
                                {.kind = SlowKind::kDense, .units = 500},
                                {.kind = SlowKind::kDense, .units = 10, .relu = false}});
}

class GoldenOracle : public GoldenSubject {
 public:
  GoldenOracle(GoldenNetwork network, int64_t mu)
      : network_(network == GoldenNetwork::kMlp ? Mlp() : Lenet()), mu_(mu) {
    network_.InitialiseGolden();
  }

  int64_t TrainStep(const RowBatch& pixels, const std::vector<uint32_t>& labels) override {
    std::vector<int64_t> rows;
    for (const std::byte pixel : pixels.bytes) {
      rows.push_back(std::to_integer<int64_t>(pixel) - 128);
    }
    return network_.TrainStep(Standardised(rows, kMnistDeviation, kGoldenUnit), labels, mu_);
  }

  size_t layers() const override { return network_.layers(); }
  std::vector<int64_t> Weights(size_t layer) override { return network_.weights(layer); }
  int64_t Exponent(size_t layer) override { return network_.exponent(layer); }
  SlowTrace Trace(size_t layer) const override { return network_.trace(layer); }
  std::vector<int64_t> Logits() const override { return network_.logits(); }
  std::vector<int64_t> Errors() const override { return network_.errors(); }

 private:
  SlowNiti network_;
  int64_t mu_;
};

}  // namespace

std::unique_ptr<GoldenSubject> MakeGoldenOracle(GoldenNetwork network, int32_t mu) {
  return std::make_unique<GoldenOracle>(network, mu);
}

}  // namespace tally::oracle
