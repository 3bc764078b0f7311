// The definition, as the compiler finds it.

#include "core/kernels/isa/portable_requantise.h"

namespace tally::kernels {

extern const RequantiseTable kScalarRequantise;
const RequantiseTable kScalarRequantise = MakeRequantiseTable(Level::kScalar, Subtract);

}  // namespace tally::kernels
