// SSE2: the portable loops as the compiler vectorises them.

#include "core/kernels/isa/vector_requantise.h"

namespace tally::kernels {

extern const RequantiseTable kSse2Requantise;
const RequantiseTable kSse2Requantise = MakeRequantiseTable(Level::kSse2, SubtractVectors);

}  // namespace tally::kernels
