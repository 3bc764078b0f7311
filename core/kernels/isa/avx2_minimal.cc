// AVX2: minimal filtering with products of int16.

#include "core/kernels/isa/portable_minimal.h"

namespace tally::kernels {

extern const MinimalTable kAvx2Minimal;
const MinimalTable kAvx2Minimal = {Level::kAvx2, true, TransformPixels, TransformTaps,
                                   TransformSums};

}  // namespace tally::kernels
