// The scalar level: plain C++ for any machine.

#include "core/kernels/isa/portable_elements.h"

namespace tally::kernels {

extern const ElementTable kScalarElements;
const ElementTable kScalarElements = {Level::kScalar, MaxMagnitude16, MaxMagnitude32,
                                      SumMagnitudes,  FindEntries,    DivideBySlopeCodes};

}  // namespace tally::kernels
