// First values of the weights, and which random bits each tensor draws.

#ifndef TALLY_CORE_ALGORITHMS_NITI_INITIALISE_H_
#define TALLY_CORE_ALGORITHMS_NITI_INITIALISE_H_

#include <cstddef>
#include <cstdint>

#include "core/algorithms/niti/stage.h"
#include "core/learner/model_spec.h"

namespace tally::niti {

// What random bits are drawn for. Part of the Philox counter; never renumbered.
enum class TensorUse : uint32_t {
  kWeightStart = 1,  // of a layer; step 0
  kDropout = 2,      // of a layer; the step it is for
  kLoss = 3,         // layer 0; likewise
};

// The tensor word of the counter: 8 * layer (its place in the spec, from 0) + use. The augmentation
// of images (core/algorithms/augmentation.h) has use 7 of layer 0.
constexpr uint32_t TensorId(size_t layer, TensorUse use) {
  return static_cast<uint32_t>(layer) * 8 + static_cast<uint32_t>(use);
}

// Uniform integers in [-127, 127]: element i of [units][fan_in] is draw i of 255, minus 127. Under
// the golden profile it is the top byte of splitmix64(number * 2^32 + i), -128 replaced by -127;
// `number` counts layers with weights from 1.
void InitialiseWeights(const ModelSpec& spec, size_t number, Stage& stage);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_INITIALISE_H_
