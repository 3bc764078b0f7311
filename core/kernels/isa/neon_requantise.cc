// NEON: the portable loops as the compiler vectorises them.

#include "core/kernels/isa/vector_requantise.h"

namespace tally::kernels {

extern const RequantiseTable kNeonRequantise;
const RequantiseTable kNeonRequantise = MakeRequantiseTable(Level::kNeon, SubtractVectors);

}  // namespace tally::kernels
