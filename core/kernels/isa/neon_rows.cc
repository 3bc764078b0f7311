// NEON: lines are loaded with their two rows apart, then multiplied and added by eight columns.

#include <arm_neon.h>

#include "core/kernels/isa/portable_rows.h"
#include "core/kernels/isa/vector_rows.h"

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

struct NeonMachine {
  static constexpr size_t kColumns = 8;

  struct Sums {
    int32x4_t low;
    int32x4_t high;
  };

  struct Constants {
    // vqdmulh keeps the high half of twice a product: one more to shift.
    explicit Constants(const UpdateConstants& from)
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

  struct Lanes {
    uint32x4_t same;  // weights that were not cut
    int16x8_t magnitudes;
  };

  static Sums LoadSums(const int32_t* sums) { return {vld1q_s32(sums), vld1q_s32(sums + 4)}; }
  static int16_t Factor(const int16_t* x) { return *x; }
  static Sums Product(const int16_t* deltas, int16_t factor) {
    const int16x8_t d = vld2q_s16(deltas).val[0];
    return {vmull_n_s16(vget_low_s16(d), factor), vmull_n_s16(vget_high_s16(d), factor)};
  }

  // The signed quotients of 4 small sums; residuals move on if kFeedback.
  template <bool kFeedback>
  static int16x4_t Quotient(const Constants& constants, int32x4_t sums, int32_t* residuals) {
    int32x4_t total = sums;
    if (kFeedback) total = vaddq_s32(total, vld1q_s32(residuals));
    const int32x4_t floors = vshlq_s32(vqdmulhq_s32(total, constants.multiplier), constants.shift);
    const int32x4_t quotient = vsubq_s32(floors, vshrq_n_s32(total, 31));
    if (kFeedback) vst1q_s32(residuals, vmlsq_s32(total, quotient, constants.inverse));
    return vmovn_s32(quotient);
  }
  template <bool kFeedback>
  static int16x8_t Quotients(const Constants& constants, const Sums& sums, int32_t* residuals) {
    return vcombine_s16(
        Quotient<kFeedback>(constants, sums.low, residuals),
        Quotient<kFeedback>(constants, sums.high, kFeedback ? residuals + 4 : nullptr));
  }

  // Saturation at +-32767 or -32768 comes before a clamp that is no wider; a weight that saturated
  // was cut too, even where the clamp changed nothing more.
  static int16x8_t Moved(const Constants& constants, int16x8_t weights, int16x8_t steps,
                         Lanes& lanes) {
    const int16x8_t kept =
        vmaxq_s16(vminq_s16(vqsubq_s16(weights, steps), constants.highest), constants.lowest);
    const uint16x8_t same = vceqq_s16(vsubq_s16(weights, steps), kept);
    lanes.same = vpadalq_u16(lanes.same, vshrq_n_u16(same, 15));
    lanes.magnitudes = vmaxq_s16(lanes.magnitudes, vabsq_s16(kept));
    return kept;
  }

  template <bool kFeedback>
  static void Move(const Constants& constants, const Sums& even, const Sums& odd,
                   int32_t* residuals, int32_t* odd_residuals, int16_t* weights, Lanes& lanes) {
    int16x8x2_t rows = vld2q_s16(weights);
    const int16x8_t even_steps = Quotients<kFeedback>(constants, even, residuals);
    const int16x8_t odd_steps = Quotients<kFeedback>(constants, odd, odd_residuals);
    rows.val[0] = Moved(constants, rows.val[0], even_steps, lanes);
    rows.val[1] = Moved(constants, rows.val[1], odd_steps, lanes);
    vst2q_s16(weights, rows);
  }

  static Lanes Begin(const UpdateTally& tally) {
    return {vdupq_n_u32(0), vdupq_n_s16(static_cast<int16_t>(tally.magnitude_max))};
  }
  static void Take(const Lanes& lanes, size_t weights, UpdateTally& tally) {
    uint32_t same[4];
    vst1q_u32(same, lanes.same);
    tally.clamped += weights;
    for (const uint32_t count : same) tally.clamped -= count;
    int16_t magnitudes[kColumns];
    vst1q_s16(magnitudes, lanes.magnitudes);
    for (const int16_t magnitude : magnitudes) {
      const uint32_t size = static_cast<uint32_t>(magnitude);
      if (size > tally.magnitude_max) tally.magnitude_max = size;
    }
  }
};

template <bool kFeedback>
void UpdateLineNeon(const UpdateConstants& constants, const int32_t* sums, int32_t* residuals,
                    PanelLines<int16_t> weights, UpdateTally& tally) {
  if (constants.small) {
    UpdateLineSmall<NeonMachine, kFeedback>(constants, sums, residuals, weights, tally);
  } else {
    UpdateLine<kFeedback>(constants, sums, residuals, weights, tally);
  }
}

void UpdateTowardZeroNeon(const UpdateConstants& constants, const int32_t* sums,
                          PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineNeon<false>(constants, sums, nullptr, weights, tally);
}

}  // namespace

extern const RowTable kNeonRows;
const RowTable kNeonRows = {
    Level::kNeon,
    ListPairs,
    AddPairsNeon,
    PairRows,
    SumLineNeon,
    UpdateTowardZeroNeon,
    UpdateLineNeon<true>,
    TrainLinesByVectors<NeonMachine, SumLineNeon, UpdateTowardZeroNeon, UpdateLineNeon<true>>};

}  // namespace tally::kernels
