#include "core/algorithms/pocketnn/network.h"

#include <algorithm>

#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"

namespace tally::pocketnn {
namespace {

uint32_t InputsOf(const ModelSpec& spec, size_t layer) {
  return layer == 0 ? static_cast<uint32_t>(spec.InputElements()) : spec.layers[layer - 1].units;
}

template <class Error>
int64_t LossOf(std::span<const Error> errors) {
  int64_t loss = 0;
  for (const int64_t error : errors) {
    loss += DivTrunc(error * error, int64_t{2});
  }
  return loss;
}

// Adds the bias to the sums and turns them into outputs, row by row: rows of sums may be longer.
template <class Z>
uint64_t Activate(const LayerActivation& activation, std::span<const int16_t> bias, MatrixView<Z> z,
                  Rows a, MatrixView<uint8_t> slope_codes) {
  const size_t units = bias.size();
  uint64_t saturated = 0;
  kernels::AddToRows(bias, z);
  for (size_t r = 0; r < z.rows; ++r) {
    const std::span<const Z> sums = {z.Row(r), units};
    const std::span<uint8_t> slopes =
        slope_codes.data == nullptr ? std::span<uint8_t>() : std::span(slope_codes.Row(r), units);
    if (a.is_wide()) {
      activation.ApplyWide(sums, {a.wide.Row(r), units}, slopes);
    } else {
      saturated += activation.Apply(sums, {a.narrow.Row(r), units}, slopes);
    }
  }
  return saturated;
}

}  // namespace

SumRows::SumRows(size_t rows_max, size_t columns_max)
    : narrow_(Shape({rows_max, kernels::PaddedColumns(columns_max)})),
      wide_(Shape({rows_max, columns_max})) {}

uint64_t SumRows::Bytes(uint64_t rows_max, uint64_t columns_max) {
  return rows_max *
         (kernels::PaddedColumns(columns_max) * sizeof(int32_t) + columns_max * sizeof(int64_t));
}

bool ProductFitsInt32(ConstRows x, uint64_t w_magnitude, uint64_t extra) {
  if (x.is_wide()) return false;
  const uint64_t products = SaturatingMultiply(kernels::RowSumMax(x.narrow), w_magnitude);
  return SaturatingAdd(products, extra) < INT32_MAX;
}

DenseLayer::DenseLayer(const ModelSpec& spec, size_t layer)
    : inputs(InputsOf(spec, layer)),
      units(spec.layers[layer].units),
      weight_limit(spec.pocketnn.weight_limit),
      activation(spec.layers[layer].activation, inputs, spec.pocketnn.profile),
      weights(inputs, units),
      bias(Shape({units})) {}

uint64_t DenseLayer::Forward(ConstRows x, SumRows& sums, size_t first_row, Rows a,
                             MatrixView<uint8_t> slope_codes, bool always_wide) const {
  const RowRange rows = {first_row, x.rows()};
  if (!always_wide && ProductFitsInt32(x, weight_magnitude, weight_limit)) {
    const MatrixView<int32_t> z = sums.narrow(rows, units);
    kernels::Multiply(x.narrow, weights, z);
    return Activate(activation, bias.elements(), z, a, slope_codes);
  }
  const MatrixView<int64_t> z = sums.wide(rows, units);
  if (x.is_wide()) {
    kernels::WideMultiply(x.wide, weights, z);
  } else if (!always_wide) {
    const MatrixView<int32_t> narrow = sums.narrow(rows, units);
    kernels::MultiplyInRuns(x.narrow, weights, weight_magnitude, narrow, z);
    // What could have left int32 seldom did.
    if (kernels::MaxMagnitude(z.elements()) < INT32_MAX - uint64_t{weight_limit}) {
      for (size_t r = 0; r < rows.count; ++r) std::copy_n(z.Row(r), units, narrow.Row(r));
      return Activate(activation, bias.elements(), narrow, a, slope_codes);
    }
  } else {
    kernels::WideMultiply(x.narrow, weights, z);
  }
  return Activate(activation, bias.elements(), z, a, slope_codes);
}

void DenseLayer::FindWeightMagnitude() {
  weight_magnitude = 0;
  for (size_t k = 0; k < inputs; ++k) {
    for (size_t j = 0; j < units; ++j) {
      weight_magnitude = std::max(weight_magnitude, Magnitude(int32_t{weights.At(k, j)}));
    }
  }
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

int64_t RowLoss(std::span<const int32_t> errors) { return LossOf(errors); }
int64_t RowLoss(std::span<const int64_t> errors) { return LossOf(errors); }

}  // namespace tally::pocketnn
