// AVX2: the portable loops as the compiler vectorises them.

#include "core/kernels/isa/vector_requantise.h"

namespace tally::kernels {

extern const RequantiseTable kAvx2Requantise;
const RequantiseTable kAvx2Requantise = MakeRequantiseTable(Level::kAvx2, SubtractVectors);

}  // namespace tally::kernels
