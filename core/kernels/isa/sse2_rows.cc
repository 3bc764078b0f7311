// SSE2: a pair product is one pmaddwd on four columns.

#include "core/kernels/isa/vector_rows.h"
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

inline __m128i WithSign(__m128i magnitude, __m128i sign) {
  return _mm_sub_epi32(_mm_xor_si128(magnitude, sign), sign);
}

struct Sse2Machine {
  static constexpr size_t kColumns = 4;
  using Sums = __m128i;

  struct Constants {
    explicit Constants(const UpdateConstants& from)
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

  struct Lanes {
    __m128i same;  // -1 for each weight that was not cut
    __m128i magnitudes;
  };

  static Sums LoadSums(const int32_t* sums) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(sums));
  }
  static __m128i Factor(const int16_t* x) {
    return _mm_set1_epi32(static_cast<int32_t>(reinterpret_cast<const LoosePair*>(x)->value));
  }
  static Sums Product(const int16_t* deltas, __m128i factor) {
    return _mm_madd_epi16(_mm_load_si128(reinterpret_cast<const __m128i*>(deltas)), factor);
  }

  // The signed quotient of 4 small sums; residuals move on if kFeedback. By magnitudes: SSE2 has
  // unsigned products only, of every other lane.
  template <bool kFeedback>
  static __m128i Quotient(const Constants& constants, Sums sums, int32_t* residuals) {
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
  static void Move(const Constants& constants, Sums even_sums, Sums odd_sums, int32_t* residuals,
                   int32_t* odd_residuals, int16_t* weights, Lanes& lanes) {
    const __m128i even = Quotient<kFeedback>(constants, even_sums, residuals);
    const __m128i odd = Quotient<kFeedback>(constants, odd_sums, odd_residuals);
    const __m128i steps =
        _mm_or_si128(_mm_and_si128(even, _mm_set1_epi32(0xffff)), _mm_slli_epi32(odd, 16));
    __m128i* place = reinterpret_cast<__m128i*>(weights);
    const __m128i before = _mm_load_si128(place);
    const __m128i kept = _mm_max_epi16(
        _mm_min_epi16(_mm_subs_epi16(before, steps), constants.highest), constants.lowest);
    _mm_store_si128(place, kept);
    const __m128i equal = _mm_cmpeq_epi16(_mm_sub_epi16(before, steps), kept);
    lanes.same = _mm_add_epi32(lanes.same, _mm_madd_epi16(equal, _mm_set1_epi16(1)));
    const __m128i size = _mm_max_epi16(kept, _mm_sub_epi16(_mm_setzero_si128(), kept));
    lanes.magnitudes = _mm_max_epi16(lanes.magnitudes, size);
  }

  static Lanes Begin(const UpdateTally& tally) {
    return {_mm_setzero_si128(), _mm_set1_epi16(static_cast<int16_t>(tally.magnitude_max))};
  }
  static void Take(const Lanes& lanes, size_t weights, UpdateTally& tally) {
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
};

template <bool kFeedback>
void UpdateLineSse2(const UpdateConstants& constants, const int32_t* sums, int32_t* residuals,
                    PanelLines<int16_t> weights, UpdateTally& tally) {
  if (constants.small) {
    UpdateLineSmall<Sse2Machine, kFeedback>(constants, sums, residuals, weights, tally);
  } else {
    UpdateLine<kFeedback>(constants, sums, residuals, weights, tally);
  }
}

void UpdateTowardZeroSse2(const UpdateConstants& constants, const int32_t* sums,
                          PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineSse2<false>(constants, sums, nullptr, weights, tally);
}

}  // namespace

extern const RowTable kSse2Rows;
const RowTable kSse2Rows = {
    Level::kSse2,
    ListPairs,
    AddPairsSse2,
    PairRowsX86,
    SumLineSse2,
    UpdateTowardZeroSse2,
    UpdateLineSse2<true>,
    TrainLinesByVectors<Sse2Machine, SumLineSse2, UpdateTowardZeroSse2, UpdateLineSse2<true>>};

}  // namespace tally::kernels
