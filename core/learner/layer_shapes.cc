#include "core/learner/layer_shapes.h"

#include <string>

#include "absl/strings/cord.h"
#include "core/arithmetic/check.h"
#include "core/learner/model_spec_names.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/value.h"

namespace tally {
namespace {

using text::StrCat;

// What the next layer gets; a flat row is no image, even of one pixel.
struct Flow {
  RowShape shape;
  bool image = false;
};

Flow InputFlow(const ModelSpec& spec) {
  const std::vector<uint32_t>& dimensions = spec.input.shape;
  if (dimensions.size() == 2) return {{dimensions[0], dimensions[1], 1}, true};
  if (dimensions.size() == 3) return {{dimensions[0], dimensions[1], dimensions[2]}, true};
  return {{1, 1, spec.InputElements()}, false};
}

std::string ImageText(const RowShape& shape) {
  return StrCat(shape.height, " x ", shape.width, " x ", shape.channels);
}

absl::Status LayerError(size_t layer, std::string_view field, const std::string& what) {
  const std::string place = StrCat("layers[", layer, "].", field);
  absl::Status status = absl::InvalidArgumentError(StrCat(place, ": ", what));
  status.SetPayload(kFieldPayloadUrl, absl::Cord(place));
  return status;
}

absl::Status CheckImage(size_t layer, const LayerSpec& spec, const Flow& flow) {
  if (flow.image) return absl::OkStatus();
  return LayerError(
      layer, "kind",
      StrCat("got ", spec_names::NameOf(spec_names::kLayerKinds, spec.kind),
             ", which takes images, but what enters is a flat row of ", flow.shape.channels,
             " elements; put it before the dense layers, and give input.shape as "
             "[height, width, channels]"));
}

// A kernel is at most as large as what it is moved over.
absl::Status CheckKernel(size_t layer, const LayerSpec& spec, const RowShape& in) {
  const Extent2d& kernel = spec.kernel;
  const uint64_t height = in.height + uint64_t{2} * spec.padding.height;
  const uint64_t width = in.width + uint64_t{2} * spec.padding.width;
  if (kernel.height <= height && kernel.width <= width) return absl::OkStatus();
  return LayerError(
      layer, "kernel",
      StrCat("got ", kernel.height, " x ", kernel.width,
             ", larger than what enters: ", ImageText(in),
             spec.padding == Extent2d() ? "" : StrCat(", padded to ", height, " x ", width)));
}

absl::Status Follow(size_t layer, const LayerSpec& spec, Flow& flow, LayerShape& shape) {
  shape = {flow.shape, flow.shape, 0};
  switch (spec.kind) {
    case LayerKind::kDense:
      shape.in = {1, 1, flow.shape.elements()};
      shape.out = {1, 1, spec.units};
      shape.fan_in = shape.in.channels;
      flow.image = false;
      break;
    case LayerKind::kConv2d:
      TALLY_RETURN_IF_ERROR(CheckImage(layer, spec, flow));
      TALLY_RETURN_IF_ERROR(CheckKernel(layer, spec, shape.in));
      shape.out.height += uint64_t{2} * spec.padding.height + 1 - spec.kernel.height;
      shape.out.width += uint64_t{2} * spec.padding.width + 1 - spec.kernel.width;
      shape.out.channels = spec.units;
      shape.fan_in = uint64_t{spec.kernel.height} * spec.kernel.width * shape.in.channels;
      break;
    case LayerKind::kMaxPool:
      TALLY_RETURN_IF_ERROR(CheckImage(layer, spec, flow));
      TALLY_RETURN_IF_ERROR(CheckKernel(layer, spec, shape.in));
      shape.out.height /= spec.kernel.height;
      shape.out.width /= spec.kernel.width;
      break;
    case LayerKind::kDropout:
      break;
  }
  if (spec.kind == LayerKind::kConv2d && shape.out.elements() > kLayerElementsMax) {
    return LayerError(
        layer, "units",
        StrCat("got ", spec.units, ", which makes rows of ", ImageText(shape.out), " = ",
               shape.out.elements(), " elements; expected at most ", kLayerElementsMax));
  }
  flow.shape = shape.out;
  return absl::OkStatus();
}

}  // namespace

std::vector<LayerShape> LayerShapes(const ModelSpec& spec) {
  std::vector<LayerShape> shapes(spec.layers.size());
  Flow flow = InputFlow(spec);
  for (size_t i = 0; i < shapes.size(); ++i) {
    TALLY_CHECK(Follow(i, spec.layers[i], flow, shapes[i]).ok());
  }
  return shapes;
}

absl::Status CheckLayerShapes(const ModelSpec& spec) {
  Flow flow = InputFlow(spec);
  LayerShape shape;
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    TALLY_RETURN_IF_ERROR(Follow(i, spec.layers[i], flow, shape));
  }
  return absl::OkStatus();
}

}  // namespace tally
