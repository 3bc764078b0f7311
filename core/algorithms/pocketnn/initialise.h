// First values of weights, biases and feedback matrices, and where their random bits come from.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_INITIALISE_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_INITIALISE_H_

#include <cstddef>
#include <cstdint>

#include "core/learner/model_spec.h"

namespace tally::pocketnn {

// What a layer draws random bits for. Part of the Philox counter; never renumbered.
enum class TensorUse : uint32_t {
  kWeightStart = 1,     // step 0
  kBiasStart = 2,       // step 0
  kFeedback = 3,        // step 0
  kWeightRounding = 4,  // the step that is rounded
  kBiasRounding = 5,    // likewise
};

// The tensor word of the counter: 8 * layer (from 0) + use.
constexpr uint32_t TensorId(size_t layer, TensorUse use) {
  return static_cast<uint32_t>(layer) * 8 + static_cast<uint32_t>(use);
}

// Whether layer `layer` is taught through a feedback matrix: a hidden layer under direct feedback.
bool HasFeedback(const ModelSpec& spec, size_t layer);

// Largest magnitude in the layer's feedback matrix; depends on its own inputs and units.
uint32_t FeedbackMagnitude(const ModelSpec& spec, size_t layer);

// Largest magnitude of a first weight or bias under back-propagation: the same, within
// weight_limit.
uint32_t StartMagnitude(const ModelSpec& spec, size_t layer);

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_INITIALISE_H_
