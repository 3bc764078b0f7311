// Promise P7: no sum of a NITI network can leave its type, whatever the samples and the weights.

#ifndef TALLY_CORE_ALGORITHMS_NITI_BOUNDS_H_
#define TALLY_CORE_ALGORITHMS_NITI_BOUNDS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "core/learner/layer_shapes.h"
#include "core/learner/model_spec.h"

namespace tally::niti {

// Whether the gradient sums of this layer, with weights, are kept in 64 bits: because a mini-batch
// of them, with decay, could leave int32, or because the smallest mu could ask for a shift of more
// than 31.
bool NeedsWideSums(const ModelSpec& spec, const LayerShape& shape);

// INVALID_ARGUMENT with layer, quantity, worst case and limit if
//   the products of a forward or backward sum could leave int32, in which block exponents are
//   found, or a gradient needs a shift of more than 62.
absl::Status CheckBounds(const ModelSpec& spec);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_BOUNDS_H_
