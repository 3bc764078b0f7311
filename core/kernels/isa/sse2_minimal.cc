// SSE2: minimal filtering with products of int16.

#include "core/kernels/isa/portable_minimal.h"

namespace tally::kernels {

extern const MinimalTable kSse2Minimal;
const MinimalTable kSse2Minimal = {Level::kSse2, true, TransformPixels, TransformTaps,
                                   TransformSums};

}  // namespace tally::kernels
