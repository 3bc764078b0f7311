#include <string>

#include "core/algorithms/algorithms.h"
#include "core/algorithms/niti/learner.h"
#include "tests/core/oracle/niti_golden_subject.h"
#include "tests/core/oracle/state_comparison.h"

namespace tally::oracle {
namespace {

std::vector<int64_t> Widened(std::span<const int8_t> values) {
  return {values.begin(), values.end()};
}

ModelSpec GoldenSpec(GoldenNetwork network, int32_t mu) {
  ModelSpec spec =
      *ZooSpec(network == GoldenNetwork::kMlp ? "niti/golden-mlp" : "niti/golden-lenet");
  spec.learning_rate = {{.from_step = 0, .mu = mu}};
  return spec;
}

class GoldenLearner : public GoldenSubject {
 public:
  GoldenLearner(GoldenNetwork network, int32_t mu) : learner_(GoldenSpec(network, mu), {}) {}

  int64_t TrainStep(const RowBatch& pixels, const std::vector<uint32_t>& labels) override {
    return static_cast<int64_t>(learner_.TrainStep(pixels, labels).correct);
  }

  size_t layers() const override {
    size_t count = 0;
    for (const LayerSpec& layer : learner_.spec().layers) {
      if (layer.kind == LayerKind::kDense || layer.kind == LayerKind::kConv2d) ++count;
    }
    return count;
  }

  std::vector<int64_t> Weights(size_t layer) override {
    return StateOf(learner_).at("layer" + std::to_string(layer + 1) + ".weights");
  }
  int64_t Exponent(size_t layer) override {
    return StateOf(learner_).at("layer" + std::to_string(layer + 1) + ".exponent").at(0);
  }

  SlowTrace Trace(size_t layer) const override {
    const niti::NitiLearner::StageTrace& from = learner_.trace(layer);
    SlowTrace trace;
    trace.max_accumulator = static_cast<int64_t>(from.sum_max);
    trace.forward_shift = from.forward_shift;
    trace.exponent = from.output_exponent;
    if (layer > 0) trace.error_shift = from.error_shift;
    trace.max_gradient = static_cast<int64_t>(from.gradient_max);
    trace.range = from.gradient_range;
    return trace;
  }
  std::vector<int64_t> Logits() const override { return Widened(learner_.logits()); }
  std::vector<int64_t> Errors() const override { return Widened(learner_.loss_errors()); }

 private:
  niti::NitiLearner learner_;
};

}  // namespace

std::unique_ptr<GoldenSubject> MakeGoldenLearner(GoldenNetwork network, int32_t mu) {
  return std::make_unique<GoldenLearner>(network, mu);
}

}  // namespace tally::oracle
