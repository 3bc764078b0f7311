// AVX-512: the portable loops as the compiler vectorises them.

#include "core/kernels/isa/vector_requantise.h"

namespace tally::kernels {

extern const RequantiseTable kAvx512Requantise;
const RequantiseTable kAvx512Requantise = MakeRequantiseTable(Level::kAvx512, SubtractVectors);

}  // namespace tally::kernels
