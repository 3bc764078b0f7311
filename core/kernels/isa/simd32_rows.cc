// ARMv6: two products of 16-bit halves and their sum are one smlad.

#include <arm_acle.h>

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {
namespace {

constexpr size_t kColumns = 4;  // sums that fit the registers beside the pointers

// Loops over the columns are to vanish, so that sums are registers; -O2 alone leaves them.
[[gnu::always_inline]] inline void MultiplyAdd(const int16_t* line, uint32_t pair,
                                               int32_t (&sums)[kColumns]) {
  const Pair* weights = reinterpret_cast<const Pair*>(line);
#pragma GCC unroll 4
  for (size_t c = 0; c < kColumns; ++c) {
    sums[c] = __smlad(static_cast<int16x2_t>(weights[c]), static_cast<int16x2_t>(pair), sums[c]);
  }
}

void AddPairsSimd32(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                    int32_t* sums) {
  for (size_t j = 0; j < lines.panels * kPanel; j += kColumns) {
    const int16_t* first = lines.first + j / kPanel * lines.panel_stride + j % kPanel * 2;
    int32_t partial[kColumns];
#pragma GCC unroll 4
    for (size_t c = 0; c < kColumns; ++c) partial[c] = sums[j + c];
    for (size_t t = 0; t < count; ++t) {
      MultiplyAdd(first + terms[t].line * kLine, terms[t].pair, partial);
    }
#pragma GCC unroll 4
    for (size_t c = 0; c < kColumns; ++c) sums[j + c] = partial[c];
  }
}

void SumLineSimd32(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                   int32_t* sums) {
  const Pair* pairs = reinterpret_cast<const Pair*>(values);
  for (size_t i = 0; i < 2; ++i, pairs += row_pairs, sums += d.panels * kPanel) {
    for (size_t j = 0; j < d.panels * kPanel; j += kColumns) {
      const int16_t* line = d.first + j / kPanel * d.panel_stride + j % kPanel * 2;
      int32_t partial[kColumns] = {};
      for (size_t t = 0; t < row_pairs; ++t, line += kLine) {
        const uint32_t pair = pairs[t];
        if (pair != 0) MultiplyAdd(line, pair, partial);
      }
#pragma GCC unroll 4
      for (size_t c = 0; c < kColumns; ++c) sums[j + c] = partial[c];
    }
  }
}

}  // namespace

extern const RowTable kSimd32Rows;
const RowTable kSimd32Rows = {
    Level::kSimd32,     ListPairs,
    AddPairsSimd32,     PairRows,
    SumLineSimd32,      UpdateTowardZero,
    UpdateWithFeedback, TrainLines<1, SumLineSimd32, UpdateTowardZero, UpdateWithFeedback>};

}  // namespace tally::kernels
