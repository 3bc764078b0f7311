// What goes into the layers of a network and comes out, from its spec alone.

#ifndef TALLY_CORE_LEARNER_LAYER_SHAPES_H_
#define TALLY_CORE_LEARNER_LAYER_SHAPES_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"

namespace tally {

// One row of activations: an image, elements in the order [row][column][channel]; or a flat row, of
// which all elements are channels.
struct RowShape {
  uint64_t height = 1;
  uint64_t width = 1;
  uint64_t channels = 0;

  uint64_t elements() const { return height * width * channels; }
  friend bool operator==(const RowShape&, const RowShape&) = default;
};

struct LayerShape {
  RowShape in;
  RowShape out;
  // Of the weights [out.channels][fan_in], without a bias; 0 for layers that have none.
  uint64_t fan_in = 0;

  uint64_t weights() const { return fan_in == 0 ? 0 : fan_in * out.channels; }
};

inline constexpr uint64_t kLayerElementsMax = uint64_t{1} << 22;

// The shape of each layer of a valid spec. [height, width] is an image of one channel; a dense
// layer takes an image as the flat row of its elements.
std::vector<LayerShape> LayerShapes(const ModelSpec& spec);

// INVALID_ARGUMENT naming layer and sizes unless every layer can take what comes out of the one
// before it. Kernels and paddings are within their own ranges.
absl::Status CheckLayerShapes(const ModelSpec& spec);

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_LAYER_SHAPES_H_
