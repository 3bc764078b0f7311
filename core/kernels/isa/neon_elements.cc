// NEON: the portable loops as the compiler vectorises them.

#include "core/kernels/isa/portable_elements.h"

namespace tally::kernels {

extern const ElementTable kNeonElements;
const ElementTable kNeonElements = {Level::kNeon,  MaxMagnitude16, MaxMagnitude32,
                                    SumMagnitudes, FindEntries,    DivideBySlopeCodes};

}  // namespace tally::kernels
