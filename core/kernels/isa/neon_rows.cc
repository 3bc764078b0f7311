// NEON: lines are loaded with their two rows apart, then multiplied and added by eight columns.

#include <arm_neon.h>

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {
namespace {

// Adds the products of a pair with one panel's line.
inline void AddPair(const int16_t* line, uint32_t pair, int32x4_t (&sums)[4]) {
  const int16_t low = static_cast<int16_t>(Low(pair));
  const int16_t high = static_cast<int16_t>(High(pair));
  for (size_t half = 0; half < 2; ++half) {
    const int16x8x2_t rows = vld2q_s16(line + half * (kLine / 2));
    int32x4_t* sum = sums + 2 * half;
    sum[0] = vmlal_n_s16(sum[0], vget_low_s16(rows.val[0]), low);
    sum[0] = vmlal_n_s16(sum[0], vget_low_s16(rows.val[1]), high);
    sum[1] = vmlal_n_s16(sum[1], vget_high_s16(rows.val[0]), low);
    sum[1] = vmlal_n_s16(sum[1], vget_high_s16(rows.val[1]), high);
  }
}

void AddPairsNeon(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                  int32_t* sums) {
  for (size_t p = 0; p < lines.panels; ++p) {
    const int16_t* panel = lines.first + p * lines.panel_stride;
    int32_t* out = sums + p * kPanel;
    int32x4_t partial[4];
    for (size_t v = 0; v < 4; ++v) partial[v] = vld1q_s32(out + 4 * v);
    for (size_t t = 0; t < count; ++t) {
      AddPair(panel + terms[t].line * kLine, terms[t].pair, partial);
    }
    for (size_t v = 0; v < 4; ++v) vst1q_s32(out + 4 * v, partial[v]);
  }
}

void SumLineNeon(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                 int32_t* sums) {
  const LoosePair* pairs = reinterpret_cast<const LoosePair*>(values);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t p = 0; p < d.panels; ++p) {
      const int16_t* panel = d.first + p * d.panel_stride;
      int32x4_t partial[4];
      for (size_t v = 0; v < 4; ++v) partial[v] = vdupq_n_s32(0);
      for (size_t t = 0; t < row_pairs; ++t) {
        const uint32_t pair = pairs[i * row_pairs + t].value;
        if (pair != 0) AddPair(panel + t * kLine, pair, partial);
      }
      int32_t* out = sums + (i * d.panels + p) * kPanel;
      for (size_t v = 0; v < 4; ++v) vst1q_s32(out + 4 * v, partial[v]);
    }
  }
}

constexpr size_t kColumns = 8;  // moved at once, in both rows of a line

struct Sums {
  int32x4_t low;
  int32x4_t high;
};

inline Sums LoadSums(const int32_t* from) { return {vld1q_s32(from), vld1q_s32(from + 4)}; }

inline Sums Multiply(int16x8_t d, int16_t x) {
  return {vmull_n_s16(vget_low_s16(d), x), vmull_n_s16(vget_high_s16(d), x)};
}

struct SmallConstants {
  // vqdmulh keeps the high half of twice a product: one more to shift.
  explicit SmallConstants(const UpdateConstants& from)
      : multiplier(vdupq_n_s32(from.small_multiplier)),
        shift(vdupq_n_s32(-(from.small_shift + 1))),
        inverse(vdupq_n_s32(from.inverse)),
        highest(vdupq_n_s16(static_cast<int16_t>(from.limit))),
        lowest(vdupq_n_s16(static_cast<int16_t>(-from.limit))) {}

  int32x4_t multiplier;
  int32x4_t shift;
  int32x4_t inverse;
  int16x8_t highest;
  int16x8_t lowest;
};

// What moving weights found, in lanes.
struct LaneTally {
  uint32x4_t same;  // weights that were not cut
  int16x8_t magnitudes;
};

// The signed quotient of 4 small sums; residuals move on if kFeedback.
template <bool kFeedback>
inline int16x4_t SmallQuotient(const SmallConstants& constants, int32x4_t sums,
                               int32_t* residuals) {
  int32x4_t total = sums;
  if (kFeedback) total = vaddq_s32(total, vld1q_s32(residuals));
  const int32x4_t floors = vshlq_s32(vqdmulhq_s32(total, constants.multiplier), constants.shift);
  const int32x4_t quotient = vsubq_s32(floors, vshrq_n_s32(total, 31));
  if (kFeedback) vst1q_s32(residuals, vmlsq_s32(total, quotient, constants.inverse));
  return vmovn_s32(quotient);
}

// Saturation at +-32767 or -32768 comes before a clamp that is no wider; a weight that saturated
// was cut too, even where the clamp changed nothing more.
inline int16x8_t Moved(const SmallConstants& constants, int16x8_t weights, int16x8_t steps,
                       LaneTally& tally) {
  const int16x8_t kept =
      vmaxq_s16(vminq_s16(vqsubq_s16(weights, steps), constants.highest), constants.lowest);
  const uint16x8_t same = vceqq_s16(vsubq_s16(weights, steps), kept);
  tally.same = vpadalq_u16(tally.same, vshrq_n_u16(same, 15));
  tally.magnitudes = vmaxq_s16(tally.magnitudes, vabsq_s16(kept));
  return kept;
}

template <bool kFeedback>
inline void MoveSmall(const SmallConstants& constants, Sums even, Sums odd, int32_t* residuals,
                      size_t width, int16_t* weights, LaneTally& tally) {
  int16x8x2_t rows = vld2q_s16(weights);
  int32_t* odd_residuals = residuals + width;
  const int16x8_t even_steps =
      vcombine_s16(SmallQuotient<kFeedback>(constants, even.low, residuals),
                   SmallQuotient<kFeedback>(constants, even.high, residuals + 4));
  const int16x8_t odd_steps =
      vcombine_s16(SmallQuotient<kFeedback>(constants, odd.low, odd_residuals),
                   SmallQuotient<kFeedback>(constants, odd.high, odd_residuals + 4));
  rows.val[0] = Moved(constants, rows.val[0], even_steps, tally);
  rows.val[1] = Moved(constants, rows.val[1], odd_steps, tally);
  vst2q_s16(weights, rows);
}

LaneTally NoneOf(const UpdateTally& tally) {
  return {vdupq_n_u32(0), vdupq_n_s16(static_cast<int16_t>(tally.magnitude_max))};
}

void Take(const LaneTally& lanes, size_t weights, UpdateTally& tally) {
  uint32_t same[4];
  vst1q_u32(same, lanes.same);
  tally.clamped += weights - same[0] - same[1] - same[2] - same[3];
  int16_t magnitudes[kColumns];
  vst1q_s16(magnitudes, lanes.magnitudes);
  for (const int16_t magnitude : magnitudes) {
    const uint32_t size = static_cast<uint32_t>(magnitude);
    if (size > tally.magnitude_max) tally.magnitude_max = size;
  }
}

template <bool kFeedback>
void UpdateLineNeon(const UpdateConstants& from, const int32_t* sums, int32_t* residuals,
                    PanelLines<int16_t> weights, UpdateTally& tally) {
  if (!from.small) return UpdateLine<kFeedback>(from, sums, residuals, weights, tally);
  const SmallConstants constants(from);
  const size_t width = weights.panels * kPanel;
  LaneTally lanes = NoneOf(tally);
  for (size_t j = 0; j < width; j += kColumns) {
    MoveSmall<kFeedback>(constants, LoadSums(sums + j), LoadSums(sums + width + j), residuals + j,
                         width, weights.first + j / kPanel * weights.panel_stride + j % kPanel * 2,
                         lanes);
  }
  Take(lanes, 2 * width, tally);
}

void UpdateTowardZeroNeon(const UpdateConstants& constants, const int32_t* sums,
                          PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineNeon<false>(constants, sums, nullptr, weights, tally);
}

// For one row a sum is one product; columns without a delta are left out, eight at a time.
template <bool kFeedback>
void TrainOneRowSmall(const LineJob& job, const UpdateConstants& from, UpdateTally& tally) {
  const SmallConstants constants(from);
  const size_t count = ListMovingColumns<kColumns>(job, job.sums);
  const size_t width = job.weights.panels * kPanel;
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    const int16_t* x = job.values + 4 * line;  // each value beside a zero
    int32_t* residuals = kFeedback ? job.residuals + line * 2 * width : nullptr;
    int16_t* weights = job.weights.first + line * kLine;
    LaneTally lanes = NoneOf(tally);
    for (size_t c = 0; c < count; ++c) {
      const size_t column = static_cast<size_t>(job.sums[c]);
      const size_t panel = column / kPanel;
      const size_t place = column % kPanel * 2;
      const int16x8_t d = vld2q_s16(job.d.first + panel * job.d.panel_stride + place).val[0];
      MoveSmall<kFeedback>(constants, Multiply(d, x[0]), Multiply(d, x[2]), residuals + column,
                           width, weights + panel * job.weights.panel_stride + place, lanes);
    }
    Take(lanes, 2 * kColumns * count, tally);
  }
}

void TrainLinesNeon(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  if (job.rows != 1 || !constants.small) {
    TrainLines<kColumns, SumLineNeon, UpdateTowardZeroNeon, UpdateLineNeon<true>>(job, constants,
                                                                                  tally);
  } else if (job.residuals == nullptr) {
    TrainOneRowSmall<false>(job, constants, tally);
  } else {
    TrainOneRowSmall<true>(job, constants, tally);
  }
}

}  // namespace

extern const RowTable kNeonRows;
const RowTable kNeonRows = {
    Level::kNeon,         ListPairs,     AddPairsNeon, PairRows, SumLineNeon, UpdateTowardZeroNeon,
    UpdateLineNeon<true>, TrainLinesNeon};

}  // namespace tally::kernels
