// NEON: minimal filtering with products of int16.

#include "core/kernels/isa/portable_minimal.h"

namespace tally::kernels {

extern const MinimalTable kNeonMinimal;
const MinimalTable kNeonMinimal = {Level::kNeon, true, TransformPixels, TransformTaps,
                                   TransformSums};

}  // namespace tally::kernels
