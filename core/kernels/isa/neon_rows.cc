// NEON: lines are loaded with their two rows apart, then multiplied and added by eight columns.

#include <arm_neon.h>

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {
namespace {

void AddPairsNeon(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                  int32_t* sums) {
  for (size_t p = 0; p < lines.panels; ++p) {
    const int16_t* panel = lines.first + p * lines.panel_stride;
    int32_t* out = sums + p * kPanel;
    int32x4_t partial[4];
    for (size_t v = 0; v < 4; ++v) partial[v] = vld1q_s32(out + 4 * v);
    for (size_t t = 0; t < count; ++t) {
      const int16_t* line = panel + terms[t].line * kLine;
      const int16_t low = static_cast<int16_t>(Low(terms[t].pair));
      const int16_t high = static_cast<int16_t>(High(terms[t].pair));
      for (size_t half = 0; half < 2; ++half) {
        const int16x8x2_t rows = vld2q_s16(line + half * (kLine / 2));
        int32x4_t* sum = partial + 2 * half;
        sum[0] = vmlal_n_s16(sum[0], vget_low_s16(rows.val[0]), low);
        sum[0] = vmlal_n_s16(sum[0], vget_low_s16(rows.val[1]), high);
        sum[1] = vmlal_n_s16(sum[1], vget_high_s16(rows.val[0]), low);
        sum[1] = vmlal_n_s16(sum[1], vget_high_s16(rows.val[1]), high);
      }
    }
    for (size_t v = 0; v < 4; ++v) vst1q_s32(out + 4 * v, partial[v]);
  }
}

}  // namespace

extern const RowTable kNeonRows;
const RowTable kNeonRows = {Level::kNeon,
                            ListPairs,
                            AddPairsNeon,
                            PairRows,
                            SumLine,
                            UpdateTowardZero,
                            UpdateWithFeedback,
                            TrainLines<8, SumLine, UpdateTowardZero, UpdateWithFeedback>};

}  // namespace tally::kernels
