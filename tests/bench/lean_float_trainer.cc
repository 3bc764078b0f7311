// Goal: the honest float peer: the same network in plain fp32, as fast as we can write it.
// Method: 784-100-50-10, leaky ReLU, softmax and cross-entropy, exact back-propagation, plain SGD;
// BLAS for every product, the update fused into the BLAS call, no framework, no allocation;
// pixels are turned into floats in [0, 1] beforehand and do not count. Same samples, order and
// mini-batches as ours.
//
//   lean_float_trainer IMAGES LABELS ROWS SAMPLES
//
//   prints {"cpu_samples_per_second":..,"train_permille":..}

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <vector>

#include "tests/bench/bench_support.h"

namespace {

constexpr char kUsage[] = "usage: lean_float_trainer IMAGES LABELS ROWS SAMPLES\n";
constexpr float kSlope = 0.01f;  // of the leaky ReLU below zero
constexpr int kWarmUpSteps = 50;

// Fully connected; `weights` is [outputs, inputs], everything row-major.
struct Layer {
  Layer(int inputs_in, int outputs_in, int rows, std::mt19937& random)
      : inputs(inputs_in),
        outputs(outputs_in),
        weights(static_cast<size_t>(inputs) * static_cast<size_t>(outputs)),
        bias(static_cast<size_t>(outputs)),
        out(static_cast<size_t>(rows) * static_cast<size_t>(outputs)),
        error(out.size()) {
    const float bound = std::sqrt(6.0f / static_cast<float>(inputs));  // He
    std::uniform_real_distribution<float> uniform(-bound, bound);
    for (float& weight : weights) weight = uniform(random);
  }

  int inputs;
  int outputs;
  std::vector<float> weights;
  std::vector<float> bias;
  std::vector<float> out;    // [rows, outputs], after the activation
  std::vector<float> error;  // likewise, of the sum before the activation
};

class Network {
 public:
  Network(const std::vector<int>& units, int rows, float rate)
      : rows_(rows), rate_(rate / static_cast<float>(rows)) {
    std::mt19937 random(1);
    for (size_t i = 0; i + 1 < units.size(); ++i) {
      layers_.emplace_back(units[i], units[i + 1], rows, random);
    }
  }

  // Returns how many of the rows were right before the update.
  int Step(const float* input, const uint32_t* labels) {
    const float* in = input;
    for (size_t i = 0; i < layers_.size(); ++i) {
      Forward(layers_[i], in, i + 1 < layers_.size());
      in = layers_[i].out.data();
    }
    const int correct = SoftmaxError(layers_.back(), labels);
    for (size_t i = layers_.size() - 1; i > 0; --i) Backward(layers_[i], layers_[i - 1]);
    in = input;
    for (Layer& layer : layers_) {
      Update(layer, in);
      in = layer.out.data();
    }
    return correct;
  }

 private:
  // out = activation(in * weights^T + bias)
  void Forward(Layer& layer, const float* in, bool hidden) {
    const auto width = static_cast<size_t>(layer.outputs);
    for (int r = 0; r < rows_; ++r) {
      std::copy(layer.bias.begin(), layer.bias.end(),
                layer.out.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(r) * width));
    }
    if (rows_ == 1) {
      cblas_sgemv(CblasRowMajor, CblasNoTrans, layer.outputs, layer.inputs, 1, layer.weights.data(),
                  layer.inputs, in, 1, 1, layer.out.data(), 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows_, layer.outputs, layer.inputs, 1,
                  in, layer.inputs, layer.weights.data(), layer.inputs, 1, layer.out.data(),
                  layer.outputs);
    }
    if (!hidden) return;
    for (float& value : layer.out) value = std::max(value, kSlope * value);
  }

  // error = softmax(out) - one_hot(labels)
  int SoftmaxError(Layer& layer, const uint32_t* labels) {
    const auto width = static_cast<size_t>(layer.outputs);
    int correct = 0;
    for (size_t r = 0; r < static_cast<size_t>(rows_); ++r) {
      const float* out = layer.out.data() + r * width;
      float* error = layer.error.data() + r * width;
      const size_t best = static_cast<size_t>(std::max_element(out, out + width) - out);
      float sum = 0;
      for (size_t c = 0; c < width; ++c) {
        error[c] = std::exp(out[c] - out[best]);
        sum += error[c];
      }
      for (size_t c = 0; c < width; ++c) error[c] /= sum;
      error[labels[r]] -= 1;
      correct += best == labels[r];
    }
    return correct;
  }

  // below.error = (layer.error * layer.weights) . activation'(below)
  void Backward(const Layer& layer, Layer& below) {
    if (rows_ == 1) {
      cblas_sgemv(CblasRowMajor, CblasTrans, layer.outputs, layer.inputs, 1, layer.weights.data(),
                  layer.inputs, layer.error.data(), 1, 0, below.error.data(), 1);
    } else {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows_, layer.inputs, layer.outputs, 1,
                  layer.error.data(), layer.outputs, layer.weights.data(), layer.inputs, 0,
                  below.error.data(), layer.inputs);
    }
    for (size_t i = 0; i < below.error.size(); ++i) {
      below.error[i] *= below.out[i] > 0 ? 1.0f : kSlope;
    }
  }

  // weights -= rate * error^T * in, in one call
  void Update(Layer& layer, const float* in) {
    if (rows_ == 1) {
      cblas_sger(CblasRowMajor, layer.outputs, layer.inputs, -rate_, layer.error.data(), 1, in, 1,
                 layer.weights.data(), layer.inputs);
    } else {
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, layer.outputs, layer.inputs, rows_,
                  -rate_, layer.error.data(), layer.outputs, in, layer.inputs, 1,
                  layer.weights.data(), layer.inputs);
    }
    const auto width = static_cast<size_t>(layer.outputs);
    for (size_t r = 0; r < static_cast<size_t>(rows_); ++r) {
      for (size_t c = 0; c < width; ++c) layer.bias[c] -= rate_ * layer.error[r * width + c];
    }
  }

  const int rows_;
  const float rate_;  // of the summed gradient
  std::vector<Layer> layers_;
};

std::vector<float> ToFloats(const tally::bench::Samples& samples) {
  std::vector<float> floats;
  floats.reserve(samples.pixels.size());
  for (const std::byte pixel : samples.pixels) {
    floats.push_back(static_cast<float>(std::to_integer<int>(pixel)) / 255.0f);
  }
  return floats;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  const auto rows = static_cast<size_t>(tally::bench::ParseCount(argv[3], kUsage));
  const auto steps = static_cast<size_t>(tally::bench::ParseCount(argv[4], kUsage)) / rows;
  const tally::bench::Samples samples = tally::bench::ReadSamples(argv[1], argv[2]);
  const std::vector<float> floats = ToFloats(samples);
  const auto rate = static_cast<float>(tally::bench::FloatRate(rows));
  Network network({static_cast<int>(samples.row_bytes), 100, 50, 10}, static_cast<int>(rows), rate);

  size_t first = 0;
  const auto step = [&] {
    if (first + rows > samples.count()) first = 0;
    const int correct =
        network.Step(floats.data() + first * samples.row_bytes, samples.labels.data() + first);
    first += rows;
    return correct;
  };
  for (int i = 0; i < kWarmUpSteps; ++i) step();
  int64_t correct = 0;
  const int64_t begin = tally::bench::ProcessCpuNs();
  for (size_t i = 0; i < steps; ++i) correct += step();
  const int64_t ns = tally::bench::ProcessCpuNs() - begin;
  const auto trained = static_cast<double>(steps * rows);
  std::printf("{\"cpu_samples_per_second\":%.0f,\"train_permille\":%.0f}\n",
              trained * 1e9 / static_cast<double>(ns),
              static_cast<double>(correct) * 1000 / trained);
  return 0;
}
