// Promise P7: no sum of this network can leave int64, whatever the samples and the weights.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_BOUNDS_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_BOUNDS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"

namespace tally::pocketnn {

// Worst-case magnitudes of one layer, from shapes and value ranges alone. They saturate at 2^64
// - 1.
struct LayerBounds {
  uint64_t input = 0;     // what enters the layer
  uint64_t sum = 0;       // x * w + bias
  uint64_t output = 0;    // after the activation
  uint64_t delta = 0;     // what the layer's weights are blamed for
  uint64_t gradient = 0;  // sum over a mini-batch, plus what error feedback kept back
};

struct NetworkBounds {
  std::vector<LayerBounds> layers;
  uint64_t loss = 0;  // of a mini-batch
};

// Range of the uniform initial values (weights under back-propagation, feedback matrices): floor of
// the square root of 393204 / (inputs + units), at least 1.
uint32_t InitialMagnitude(uint64_t inputs, uint64_t units);

NetworkBounds WorstCase(const ModelSpec& spec);

// INVALID_ARGUMENT with layer, quantity, worst case and limit if a sum could leave int64.
absl::Status CheckBounds(const ModelSpec& spec);

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_BOUNDS_H_
