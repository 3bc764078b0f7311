// NITI a second time, slowly: direct loops over every index, int64, no patch matrices, written from
// the specification (Wang et al., "NITI", arXiv:2009.13108) and not from core/algorithms.
//
//   tensors      [sample][row][column][channel]; a dense layer is a convolution whose kernel covers
//                the whole input, so that flattening needs no code
//   forward      correlation; every sum of a mini-batch requantised as a whole, then ReLU
//   pooling      the first maximum in row-major order of the window; its error is added there
//   backward     scattered: each output error adds to the gradient of every weight it met and to
//                the error of every input it saw; ReLU passes where the value before it was > 0
//   update       after the whole backward pass, weights of before the update everywhere

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_NITI_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_NITI_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tally::oracle {

struct SlowShape {
  int64_t height = 1;
  int64_t width = 1;
  int64_t channels = 1;
  int64_t size() const { return height * width * channels; }
};

struct SlowTensor {
  SlowShape shape;              // of one sample
  std::vector<int64_t> values;  // samples * shape.size()

  int64_t samples() const { return static_cast<int64_t>(values.size()) / shape.size(); }
  size_t at(int64_t sample, int64_t row, int64_t column, int64_t channel) const {
    return static_cast<size_t>(
        ((sample * shape.height + row) * shape.width + column) * shape.channels + channel);
  }
};

enum class SlowKind { kDense, kConvolution, kMaxPool };

struct SlowNitiLayer {
  SlowKind kind = SlowKind::kDense;
  int64_t units = 0;
  int64_t kernel_height = 1;  // of a pool: the window, and its stride
  int64_t kernel_width = 1;
  int64_t padding_height = 0;
  int64_t padding_width = 0;
  bool relu = true;

  bool HasWeights() const { return kind != SlowKind::kMaxPool; }
};

// What happened to one layer with weights in the last mini-batch.
struct SlowTrace {
  int64_t max_accumulator = 0;
  int64_t forward_shift = 0;
  int64_t exponent = 0;                // of the output
  std::optional<int64_t> error_shift;  // of the error of the layer's input; not for the first
  int64_t max_gradient = 0;
  int64_t range = 0;
};

class SlowNiti {
 public:
  SlowNiti(const SlowShape& input, const std::vector<SlowNitiLayer>& layers);

  // Weights, exponents: the golden start, from splitmix64.
  void InitialiseGolden();

  // Trains one mini-batch of standardised rows, exponent -6; returns the right predictions.
  int64_t TrainStep(const std::vector<int64_t>& rows, const std::vector<uint32_t>& labels,
                    int64_t mu);
  // Logits of the rows as one batch.
  const std::vector<int64_t>& Forward(const std::vector<int64_t>& rows);

  // Of layers with weights, first layer first.
  const std::vector<int64_t>& weights(size_t layer) const {
    return layers_[weighted_[layer]].weights;
  }
  int64_t exponent(size_t layer) const { return layers_[weighted_[layer]].weight_exponent; }
  const SlowTrace& trace(size_t layer) const { return layers_[weighted_[layer]].trace; }
  size_t layers() const { return weighted_.size(); }

  const std::vector<int64_t>& logits() const { return layers_.back().output.values; }
  const std::vector<int64_t>& errors() const { return errors_; }  // of the loss, int8
  int64_t logits_exponent() const { return logits_exponent_; }

 private:
  struct State {
    SlowNitiLayer spec;
    SlowShape in;
    SlowShape out;
    std::vector<int64_t> weights;  // [out][kernel row][kernel column][in]
    int64_t weight_exponent = 0;

    SlowTensor input;               // of the last mini-batch
    SlowTensor output;              // requantised; before ReLU
    std::vector<size_t> origin;     // of each pooled value: its index in `input`
    std::vector<int64_t> gradient;  // like weights
    SlowTrace trace;
  };

  template <typename Visit>
  static void ForEachPair(const State& layer, int64_t samples, const Visit& visit);

  void Convolve(State& layer);
  void Pool(State& layer);
  std::vector<int64_t> LossErrors(const std::vector<uint32_t>& labels);
  SlowTensor Backward(State& layer, std::vector<int64_t> errors, bool first);
  SlowTensor Unpool(const State& layer, const std::vector<int64_t>& errors) const;
  void Update(State& layer, int64_t mu);

  std::vector<State> layers_;
  std::vector<size_t> weighted_;  // indices of layers with weights
  std::vector<int64_t> errors_;
  int64_t logits_exponent_ = 0;
};

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_NITI_H_
