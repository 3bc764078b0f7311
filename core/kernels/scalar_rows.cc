// The scalar level: plain C++ for any machine.

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {

extern const RowTable kScalarRows;
const RowTable kScalarRows = {Level::kScalar,
                              ListPairs,
                              AddPairs,
                              PairRows,
                              SumLine,
                              UpdateTowardZero,
                              UpdateWithFeedback,
                              TrainLines<1, SumLine, UpdateTowardZero, UpdateWithFeedback>};

}  // namespace tally::kernels
