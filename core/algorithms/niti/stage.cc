#include "core/algorithms/niti/stage.h"

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::niti {
namespace {

bool HasWeights(const LayerSpec& layer) {
  return layer.kind == LayerKind::kDense || layer.kind == LayerKind::kConv2d;
}

// The largest e with 2^e <= sqrt(2) * 1000 / (1000 - drop): the nearest power of two.
int32_t DropoutExponent(uint32_t drop_permille) {
  const uint64_t kept = 1000 - drop_permille;
  int32_t exponent = 0;
  for (uint64_t square = 4 * kept * kept; square <= 2'000'000; square *= 4) ++exponent;
  return exponent;
}

// Of a checked spec: at most kLayerElementsMax, which every machine can address.
constexpr size_t Count(uint64_t shape_count) { return static_cast<size_t>(shape_count); }

Follower MakeFollower(const LayerSpec& spec, const LayerShape& shape, size_t layer) {
  Follower follower = {};
  follower.kind = spec.kind;
  follower.layer = layer;
  follower.in_elements = Count(shape.in.elements());
  follower.out_elements = Count(shape.out.elements());
  if (spec.kind == LayerKind::kMaxPool) {
    follower.pool = {Count(shape.in.height), Count(shape.in.width), Count(shape.in.channels),
                     spec.kernel.height, spec.kernel.width};
  } else {
    follower.drop_permille = spec.drop_permille;
    follower.exponent = DropoutExponent(spec.drop_permille);
  }
  return follower;
}

kernels::ConvolutionShape ConvolutionOf(const LayerSpec& layer, const LayerShape& shape) {
  const RowShape& in = shape.in;
  return {Count(in.height),   Count(in.width),      Count(in.channels),  layer.kernel.height,
          layer.kernel.width, layer.padding.height, layer.padding.width, layer.units};
}

uint64_t FanOut(const LayerSpec& layer) {
  const uint64_t area =
      layer.kind == LayerKind::kConv2d ? uint64_t{layer.kernel.height} * layer.kernel.width : 1;
  return area * layer.units;
}

}  // namespace

Stage::Stage(const ModelSpec& spec, const std::vector<LayerShape>& shapes, size_t first)
    : layer(first),
      kind(spec.layers[first].kind),
      relu(spec.layers[first].activation == Activation::kRelu),
      in_elements(Count(shapes[first].in.elements())),
      positions(Count(shapes[first].out.height * shapes[first].out.width)),
      units(spec.layers[first].units),
      fan_in(Count(shapes[first].fan_in)),
      out_elements(Count(shapes[first].out.elements())),
      exponent(WeightExponent(shapes[first].fan_in, FanOut(spec.layers[first]))),
      weights(fan_in, units) {
  const LayerSpec& own = spec.layers[first];
  if (kind == LayerKind::kConv2d) convolution = ConvolutionOf(own, shapes[first]);
  for (size_t l = first + 1; l < spec.layers.size() && !HasWeights(spec.layers[l]); ++l) {
    followers.push_back(MakeFollower(spec.layers[l], shapes[l], l));
    out_elements = followers.back().out_elements;
  }
}

void Stage::Multiply(MatrixView<const int8_t> x, MatrixView<int32_t> z, kernels::RowsDone done,
                     std::span<int16_t> scratch) const {
  if (kind == LayerKind::kConv2d) {
    kernels::Convolve(x, convolution, weights, z, done, scratch);
  } else {
    kernels::PackedGemm(x, weights, z, done);
  }
}

void Stage::PassBack(MatrixView<const int8_t> d, MatrixView<int32_t> e,
                     std::span<int16_t> scratch) const {
  if (kind == LayerKind::kConv2d) {
    kernels::ConvolutionError(d, convolution, weights, e, scratch);
  } else {
    kernels::PackedGemmTransposed(d, weights, e);
  }
}

template <class Sum>
void Stage::Gradient(MatrixView<const int8_t> x, MatrixView<const int8_t> d,
                     kernels::PanelSums<Sum>& sums) const {
  if (kind == LayerKind::kConv2d) {
    kernels::ConvolutionGradient(x, d, convolution, sums);
  } else {
    kernels::GradientGemm(x, d, sums);
  }
}

template void Stage::Gradient(MatrixView<const int8_t>, MatrixView<const int8_t>,
                              kernels::PanelSums<int32_t>&) const;
template void Stage::Gradient(MatrixView<const int8_t>, MatrixView<const int8_t>,
                              kernels::PanelSums<int64_t>&) const;

size_t ScratchElements(const LayerSpec& layer, const LayerShape& shape) {
  if (layer.kind != LayerKind::kConv2d) return 0;
  return kernels::ConvolutionScratchElements(ConvolutionOf(layer, shape));
}

std::vector<Stage> MakeStages(const ModelSpec& spec) {
  const std::vector<LayerShape> shapes = LayerShapes(spec);
  std::vector<Stage> stages;
  for (size_t l = 0; l < spec.layers.size(); ++l) {
    if (HasWeights(spec.layers[l])) stages.emplace_back(spec, shapes, l);
  }
  TALLY_CHECK(!stages.empty() && stages.front().layer == 0);
  return stages;
}

int32_t WeightExponent(uint64_t fan_in, uint64_t fan_out) {
  const uint64_t fans = fan_in + fan_out;
  int32_t n = -1;  // right for 2 to 5
  for (uint64_t bound = 6; bound <= fans; bound *= 4) ++n;
  return -n - 7;
}

}  // namespace tally::niti
