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
//   memory       with range_memory n, in the scale of the loss: S = range of the gradient + the
//                shifts of all errors above the layer. The record is S if S is not below it; else
//                it falls by 1 at every n-th mini-batch in a row. The gradient is measured by the
//                record less those shifts, if that is more than its own range; by at most 31 + mu
//   momentum     with momentum_bits m, velocities v, 0 at first. A sum of a gradient is in units of
//                2^(exponent of the layer's input + E - floor(log2 batch_size)), E the exponent of
//                its errors: -7 for the loss, and on the way down it grows by each layer's weight
//                exponent, the shift of its errors, and what dropout adds forward. With w the
//                16-bit weight and 2^-16 of an 8-bit one the unit of v:
//                  p = the sum times 2^mu as such units: up exactly, down by PstoShift of at most
//                      62, cut to +-2^24 (of exact powers none above 31)
//                  q = w * 2^(8 + mu - decay_bits) likewise, if decay_bits is not 0
//                  v = v - v / 2^m to nearest, halves away from zero, + p + q
//                  w = w - PstoShift(v, 8), cut to +-127 * 256
//                Decay is not added to gradients then.
//
// Draws are Philox's (slow_philox.h), key = seed, tensor = 8 * place among all layers, from 0, and
//
//   + 1  first weights, step 0: element i is draw i of 255, minus 127
//   + 2  dropout, the step it is for: element i of every row is 0 if draw i of 1000 is below
//        drop_permille; the exponent grows by the nearest e to log2(1000 / (1000 - drop_permille))
//   + 3  stochastic rounding of the loss errors, layer 0: up if g's dropped 4 bits exceed a draw of
//        16; index = row of the mini-batch * classes + class

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_NITI_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_NITI_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/learner/model_spec.h"

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

enum class SlowKind { kDense, kConvolution, kMaxPool, kDropout };

struct SlowNitiLayer {
  SlowKind kind = SlowKind::kDense;
  int64_t units = 0;
  int64_t kernel_height = 1;  // of a pool: the window, and its stride
  int64_t kernel_width = 1;
  int64_t padding_height = 0;
  int64_t padding_width = 0;
  bool relu = true;
  int64_t drop_permille = 0;

  bool HasWeights() const { return kind == SlowKind::kDense || kind == SlowKind::kConvolution; }
};

// What the golden values leave open; the defaults are theirs.
struct SlowNitiOptions {
  bool fine_weights = false;  // 16 bits: 256 times finer, rounded to 8 bits for every product
  LossRounding loss_rounding = LossRounding::kPseudoStochastic;
  int64_t gradient_bits_min = 0;
  int64_t range_memory = 0;
  int64_t decay_bits = 0;
  NitiSoftmax softmax = NitiSoftmax::kOctaves;
  int64_t momentum_bits = 0;
  int64_t headroom_bits = 0;  // the first 16-bit weights are draws times 2^(8 - this)
  int64_t batch_size = 1;     // of a full mini-batch; with momentum
  bool wraps = false;  // casts and dropped gradients of the published code (reference profile)
  uint64_t seed = 0;   // of the draws
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
  SlowNiti(const SlowShape& input, const std::vector<SlowNitiLayer>& layers,
           const SlowNitiOptions& options = {});

  // Weights, exponents: the golden start, from splitmix64.
  void InitialiseGolden();
  // Draw i of 255, less 127, for element i.
  void InitialiseByDraws();

  // Trains one mini-batch of standardised rows, exponent -6; returns the right predictions.
  int64_t TrainStep(const std::vector<int64_t>& rows, const std::vector<uint32_t>& labels,
                    int64_t mu);
  // Logits of the rows as one batch, without dropout.
  const std::vector<int64_t>& Forward(const std::vector<int64_t>& rows);

  // Of layers with weights, first layer first.
  const std::vector<int64_t>& weights(size_t layer) const {
    return layers_[weighted_[layer]].weights;
  }
  // 256 times finer than the weights; empty with 8-bit weights.
  const std::vector<int64_t>& fine_weights(size_t layer) const {
    return layers_[weighted_[layer]].fine;
  }
  int64_t exponent(size_t layer) const { return layers_[weighted_[layer]].weight_exponent; }
  // With range_memory: the record, and mini-batches since it was met.
  int64_t record(size_t layer) const { return layers_[weighted_[layer]].record; }
  int64_t record_age(size_t layer) const { return layers_[weighted_[layer]].record_age; }
  // With momentum.
  const std::vector<int64_t>& velocity(size_t layer) const {
    return layers_[weighted_[layer]].velocity;
  }
  const SlowTrace& trace(size_t layer) const { return layers_[weighted_[layer]].trace; }
  size_t layers() const { return weighted_.size(); }

  const std::vector<int64_t>& logits() const { return layers_.back().output.values; }
  const std::vector<int64_t>& errors() const { return errors_; }             // of the loss, int8
  int64_t loss() const { return loss_; }                                     // sum over the rows
  const std::vector<uint32_t>& predictions() const { return predictions_; }  // first maxima
  uint64_t step() const { return step_; }
  int64_t logits_exponent() const { return logits_exponent_; }

 private:
  struct State {
    SlowNitiLayer spec;
    SlowShape in;
    SlowShape out;
    std::vector<int64_t> weights;   // [out][kernel row][kernel column][in]
    std::vector<int64_t> fine;      // likewise; empty with 8-bit weights
    std::vector<int64_t> velocity;  // likewise
    int64_t weight_exponent = 0;
    int64_t input_exponent = 0;
    int64_t record = 0;
    int64_t record_age = 0;

    SlowTensor input;               // of the last mini-batch
    SlowTensor output;              // requantised; before ReLU
    std::vector<size_t> origin;     // of each pooled value: its index in `input`
    std::vector<int64_t> kept;      // of each value after dropout: 1 or 0
    std::vector<int64_t> gradient;  // like weights
    SlowTrace trace;
  };

  template <typename Visit>
  static void ForEachPair(const State& layer, int64_t samples, const Visit& visit);

  void Run(const std::vector<int64_t>& rows, bool training);
  void Convolve(State& layer);
  // Returns by how much the exponent grows.
  int64_t Drop(size_t layer, bool training);
  int64_t LossError(int64_t g, uint64_t index) const;
  void Pool(State& layer);
  std::vector<int64_t> LossErrors(const std::vector<uint32_t>& labels);
  SlowTensor Backward(State& layer, std::vector<int64_t> errors, bool first);
  SlowTensor Unpool(const State& layer, const std::vector<int64_t>& errors) const;
  std::vector<int64_t> PassBack(size_t layer, const std::vector<int64_t>& errors);
  void Decay(State& layer) const;
  // `shifts`: of the errors of all layers above.
  void Update(State& layer, int64_t mu, int64_t shifts) const;
  int64_t Remembered(State& layer, int64_t mu, int64_t shifts) const;
  static int64_t Push(int64_t x, int64_t power);
  void Descend(State& layer, int64_t mu, int64_t error_exponent) const;
  void UpdateAll(int64_t mu);

  SlowNitiOptions options_;
  std::vector<State> layers_;
  std::vector<size_t> weighted_;  // indices of layers with weights
  std::vector<int64_t> errors_;
  int64_t logits_exponent_ = 0;
  uint64_t step_ = 0;
  int64_t loss_ = 0;
  std::vector<uint32_t> predictions_;
};

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_NITI_H_
