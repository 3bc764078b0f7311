#include "core/algorithms/pocketnn/network.h"

#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/gemm.h"

namespace tally::pocketnn {
namespace {

uint32_t InputsOf(const ModelSpec& spec, size_t layer) {
  return layer == 0 ? static_cast<uint32_t>(spec.InputElements()) : spec.layers[layer - 1].units;
}

}  // namespace

void Multiply(ConstRows x, MatrixView<const int16_t> w, int32_t w_magnitude_max,
              MatrixView<int64_t> z) {
  if (x.is_wide()) {
    kernels::WideGemm(x.wide, w, z);
  } else {
    kernels::Gemm(x.narrow, w, w_magnitude_max, z);
  }
}

DenseLayer::DenseLayer(const ModelSpec& spec, size_t layer)
    : inputs(InputsOf(spec, layer)),
      units(spec.layers[layer].units),
      weight_limit(static_cast<int32_t>(spec.pocketnn.weight_limit)),
      activation(spec.layers[layer].activation, inputs, spec.pocketnn.profile),
      weights(Shape({inputs, units})),
      bias(Shape({units})) {}

uint64_t DenseLayer::Forward(ConstRows x, MatrixView<int64_t> z, Rows a,
                             MatrixView<uint8_t> inverse_slopes) const {
  Multiply(x, weights.matrix(), weight_limit, z);
  kernels::AddToRows(bias.elements(), z);
  if (activation.wide()) {
    activation.ApplyWide(z.elements(), a.wide.elements(), inverse_slopes.elements());
    return 0;
  }
  return activation.Apply(z.elements(), a.narrow.elements(), inverse_slopes.elements());
}

Network::Network(const ModelSpec& spec) : input(spec) {
  layers.reserve(spec.layers.size());
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    layers.emplace_back(spec, l);
  }
}

int64_t OutputAt(ConstRows outputs, size_t row, size_t column) {
  return outputs.is_wide() ? outputs.wide.Row(row)[column] : outputs.narrow.Row(row)[column];
}

int64_t RowLoss(std::span<const int64_t> errors) {
  int64_t loss = 0;
  for (const int64_t error : errors) {
    loss += DivTrunc(error * error, int64_t{2});
  }
  return loss;
}

}  // namespace tally::pocketnn
