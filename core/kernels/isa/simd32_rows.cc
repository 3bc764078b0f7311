// ARMv6: two products of 16-bit halves and their sum are one smlad.

#include <arm_acle.h>

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {
namespace {

void AddPairsSimd32(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                    int32_t* sums) {
  constexpr size_t kColumns = 4;  // sums that fit the registers beside the pointers
  for (size_t j = 0; j < lines.panels * kPanel; j += kColumns) {
    const int16_t* first = lines.first + j / kPanel * lines.panel_stride + j % kPanel * 2;
    int32_t partial[kColumns];
    for (size_t c = 0; c < kColumns; ++c) partial[c] = sums[j + c];
    for (size_t t = 0; t < count; ++t) {
      const LoosePair* line = reinterpret_cast<const LoosePair*>(first + terms[t].line * kLine);
      const int16x2_t pair = static_cast<int16x2_t>(terms[t].pair);
      for (size_t c = 0; c < kColumns; ++c) {
        partial[c] = __smlad(static_cast<int16x2_t>(line[c].value), pair, partial[c]);
      }
    }
    for (size_t c = 0; c < kColumns; ++c) sums[j + c] = partial[c];
  }
}

}  // namespace

extern const RowTable kSimd32Rows;
const RowTable kSimd32Rows = {Level::kSimd32,
                              ListPairs,
                              AddPairsSimd32,
                              PairRows,
                              SumLine,
                              UpdateTowardZero,
                              UpdateWithFeedback,
                              TrainLines<1, SumLine, UpdateTowardZero, UpdateWithFeedback>};

}  // namespace tally::kernels
