// SSE2: a pair product is one pmaddwd on four columns.

#include "core/kernels/isa/x86_pair_rows.h"

namespace tally::kernels {
namespace {

constexpr size_t kQuarters = 4;  // vectors of 4 columns in a panel

void AddPairsSse2(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                  int32_t* sums) {
  for (size_t p = 0; p < lines.panels; ++p) {
    const int16_t* panel = lines.first + p * lines.panel_stride;
    __m128i* out = reinterpret_cast<__m128i*>(sums + p * kPanel);
    __m128i partial[kQuarters];
    for (size_t v = 0; v < kQuarters; ++v) partial[v] = _mm_load_si128(out + v);
    for (size_t t = 0; t < count; ++t) {
      const __m128i pair = _mm_set1_epi32(static_cast<int32_t>(terms[t].pair));
      const __m128i* line = reinterpret_cast<const __m128i*>(panel + terms[t].line * kLine);
      for (size_t v = 0; v < kQuarters; ++v) {
        partial[v] = _mm_add_epi32(partial[v], _mm_madd_epi16(_mm_load_si128(line + v), pair));
      }
    }
    for (size_t v = 0; v < kQuarters; ++v) _mm_store_si128(out + v, partial[v]);
  }
}

void SumLineSse2(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                 int32_t* sums) {
  const LoosePair* pairs = reinterpret_cast<const LoosePair*>(values);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t p = 0; p < d.panels; ++p) {
      const int16_t* panel = d.first + p * d.panel_stride;
      __m128i partial[kQuarters] = {};
      for (size_t t = 0; t < row_pairs; ++t) {
        const uint32_t value = pairs[i * row_pairs + t].value;
        if (value == 0) continue;
        const __m128i pair = _mm_set1_epi32(static_cast<int32_t>(value));
        const __m128i* line = reinterpret_cast<const __m128i*>(panel + t * kLine);
        for (size_t v = 0; v < kQuarters; ++v) {
          partial[v] = _mm_add_epi32(partial[v], _mm_madd_epi16(_mm_load_si128(line + v), pair));
        }
      }
      __m128i* out = reinterpret_cast<__m128i*>(sums + (i * d.panels + p) * kPanel);
      for (size_t v = 0; v < kQuarters; ++v) _mm_store_si128(out + v, partial[v]);
    }
  }
}

constexpr size_t kColumns = 4;  // moved at once, in both rows of a line

struct SmallConstants {
  explicit SmallConstants(const UpdateConstants& from)
      : multiplier(_mm_set1_epi32(from.small_multiplier)),
        inverse(_mm_set1_epi32(from.inverse)),
        highest(_mm_set1_epi16(static_cast<int16_t>(from.limit))),
        lowest(_mm_set1_epi16(static_cast<int16_t>(-from.limit))),
        shift(_mm_cvtsi32_si128(32 + from.small_shift)) {}

  __m128i multiplier;
  __m128i inverse;
  __m128i highest;
  __m128i lowest;
  __m128i shift;
};

// What moving weights found, in lanes.
struct LaneTally {
  __m128i same = _mm_setzero_si128();  // -1 for each weight that was not cut
  __m128i magnitudes;
};

inline __m128i WithSign(__m128i magnitude, __m128i sign) {
  return _mm_sub_epi32(_mm_xor_si128(magnitude, sign), sign);
}

// The signed quotient of 4 small sums; residuals move on if kFeedback. By magnitudes: SSE2 has
// unsigned products only, of every other lane.
template <bool kFeedback>
inline __m128i SmallQuotient(const SmallConstants& constants, __m128i sums, int32_t* residuals) {
  __m128i total = sums;
  __m128i* rest = reinterpret_cast<__m128i*>(residuals);
  if (kFeedback) total = _mm_add_epi32(total, _mm_load_si128(rest));
  const __m128i sign = _mm_srai_epi32(total, 31);
  const __m128i magnitude = WithSign(total, sign);
  const __m128i even =
      _mm_srl_epi64(_mm_mul_epu32(magnitude, constants.multiplier), constants.shift);
  const __m128i odd = _mm_srl_epi64(
      _mm_mul_epu32(_mm_srli_epi64(magnitude, 32), constants.multiplier), constants.shift);
  if (kFeedback) {
    const __m128i taken = _mm_or_si128(_mm_mul_epu32(even, constants.inverse),
                                       _mm_slli_epi64(_mm_mul_epu32(odd, constants.inverse), 32));
    _mm_store_si128(rest, WithSign(_mm_sub_epi32(magnitude, taken), sign));
  }
  return WithSign(_mm_or_si128(even, _mm_slli_epi64(odd, 32)), sign);
}

// Saturation at +-32767 or -32768 comes before a clamp that is no wider; a weight that saturated
// was cut too, even where the clamp changed nothing more.
template <bool kFeedback>
inline void MoveSmall(const SmallConstants& constants, __m128i even_sums, __m128i odd_sums,
                      int32_t* residuals, size_t width, int16_t* weights, LaneTally& tally) {
  const __m128i even = SmallQuotient<kFeedback>(constants, even_sums, residuals);
  const __m128i odd = SmallQuotient<kFeedback>(constants, odd_sums, residuals + width);
  const __m128i steps =
      _mm_or_si128(_mm_and_si128(even, _mm_set1_epi32(0xffff)), _mm_slli_epi32(odd, 16));
  __m128i* place = reinterpret_cast<__m128i*>(weights);
  const __m128i before = _mm_load_si128(place);
  const __m128i kept = _mm_max_epi16(
      _mm_min_epi16(_mm_subs_epi16(before, steps), constants.highest), constants.lowest);
  _mm_store_si128(place, kept);
  const __m128i equal = _mm_cmpeq_epi16(_mm_sub_epi16(before, steps), kept);
  tally.same = _mm_add_epi32(tally.same, _mm_madd_epi16(equal, _mm_set1_epi16(1)));
  const __m128i size = _mm_max_epi16(kept, _mm_sub_epi16(_mm_setzero_si128(), kept));
  tally.magnitudes = _mm_max_epi16(tally.magnitudes, size);
}

LaneTally NoneOf(const UpdateTally& tally) {
  LaneTally lanes;
  lanes.magnitudes = _mm_set1_epi16(static_cast<int16_t>(tally.magnitude_max));
  return lanes;
}

void Take(const LaneTally& lanes, size_t weights, UpdateTally& tally) {
  alignas(16) int32_t same[4];
  _mm_store_si128(reinterpret_cast<__m128i*>(same), lanes.same);
  tally.clamped += weights;
  for (const int32_t count : same) tally.clamped -= static_cast<uint32_t>(-count);
  alignas(16) uint16_t sizes[8];
  _mm_store_si128(reinterpret_cast<__m128i*>(sizes), lanes.magnitudes);
  for (const uint16_t size : sizes) {
    if (size > tally.magnitude_max) tally.magnitude_max = size;
  }
}

inline __m128i LoadSums(const int32_t* from) {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(from));
}

template <bool kFeedback>
void UpdateLineSse2(const UpdateConstants& from, const int32_t* sums, int32_t* residuals,
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

void UpdateTowardZeroSse2(const UpdateConstants& constants, const int32_t* sums,
                          PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineSse2<false>(constants, sums, nullptr, weights, tally);
}

// For one row a sum is one product; columns without a delta are left out, four at a time.
template <bool kFeedback>
void TrainOneRowSmall(const LineJob& job, const UpdateConstants& from, UpdateTally& tally) {
  const SmallConstants constants(from);
  const size_t count = ListMovingColumns<kColumns>(job, job.sums);
  const size_t width = job.weights.panels * kPanel;
  const LoosePair* pairs = reinterpret_cast<const LoosePair*>(job.values);
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    const __m128i even = _mm_set1_epi32(static_cast<int32_t>(pairs[2 * line].value));
    const __m128i odd = _mm_set1_epi32(static_cast<int32_t>(pairs[2 * line + 1].value));
    int32_t* residuals = kFeedback ? job.residuals + line * 2 * width : nullptr;
    int16_t* weights = job.weights.first + line * kLine;
    LaneTally lanes = NoneOf(tally);
    for (size_t c = 0; c < count; ++c) {
      const size_t column = static_cast<size_t>(job.sums[c]);
      const size_t panel = column / kPanel;
      const size_t place = column % kPanel * 2;
      const __m128i d = _mm_load_si128(
          reinterpret_cast<const __m128i*>(job.d.first + panel * job.d.panel_stride + place));
      MoveSmall<kFeedback>(constants, _mm_madd_epi16(d, even), _mm_madd_epi16(d, odd),
                           residuals + column, width,
                           weights + panel * job.weights.panel_stride + place, lanes);
    }
    Take(lanes, 2 * kColumns * count, tally);
  }
}

void TrainLinesSse2(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  if (job.rows != 1 || !constants.small) {
    TrainLines<kColumns, SumLineSse2, UpdateTowardZeroSse2, UpdateLineSse2<true>>(job, constants,
                                                                                  tally);
  } else if (job.residuals == nullptr) {
    TrainOneRowSmall<false>(job, constants, tally);
  } else {
    TrainOneRowSmall<true>(job, constants, tally);
  }
}

}  // namespace

extern const RowTable kSse2Rows;
const RowTable kSse2Rows = {Level::kSse2,         ListPairs,     AddPairsSse2,
                            PairRowsX86,          SumLineSse2,   UpdateTowardZeroSse2,
                            UpdateLineSse2<true>, TrainLinesSse2};

}  // namespace tally::kernels
