// AVX2: a pair product is one vpmaddwd on eight columns; division by a pair of 32 x 32 -> 64 bit
// multiplications.

#include <immintrin.h>

#include "core/kernels/isa/x86_pair_rows.h"

namespace tally::kernels {
namespace {

// kPanels neighbouring panels at once, so that enough sums are under way to hide the latency.
template <size_t kPanels>
void AddPairsTo(const PairTerm* terms, size_t count, const int16_t* first, size_t stride,
                int32_t* sums) {
  __m256i* out = reinterpret_cast<__m256i*>(sums);
  __m256i partial[2 * kPanels];
#pragma GCC unroll 8
  for (size_t v = 0; v < 2 * kPanels; ++v) partial[v] = _mm256_load_si256(out + v);
  for (size_t t = 0; t < count; ++t) {
    const __m256i pair = _mm256_set1_epi32(static_cast<int32_t>(terms[t].pair));
    const int16_t* line = first + terms[t].line * kLine;
#pragma GCC unroll 8
    for (size_t v = 0; v < 2 * kPanels; ++v) {
      const __m256i weights = _mm256_load_si256(
          reinterpret_cast<const __m256i*>(line + v / 2 * stride + v % 2 * (kLine / 2)));
      partial[v] = _mm256_add_epi32(partial[v], _mm256_madd_epi16(weights, pair));
    }
  }
#pragma GCC unroll 8
  for (size_t v = 0; v < 2 * kPanels; ++v) _mm256_store_si256(out + v, partial[v]);
}

void AddPairsAvx2(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                  int32_t* sums) {
  size_t p = 0;
  for (; p + 4 <= lines.panels; p += 4) {
    AddPairsTo<4>(terms, count, lines.first + p * lines.panel_stride, lines.panel_stride,
                  sums + p * kPanel);
  }
  const int16_t* first = lines.first + p * lines.panel_stride;
  switch (lines.panels - p) {
    case 3:
      return AddPairsTo<3>(terms, count, first, lines.panel_stride, sums + p * kPanel);
    case 2:
      return AddPairsTo<2>(terms, count, first, lines.panel_stride, sums + p * kPanel);
    case 1:
      return AddPairsTo<1>(terms, count, first, lines.panel_stride, sums + p * kPanel);
    default:
      return;
  }
}

// One row of a line for kPanels neighbouring panels.
template <size_t kPanels>
void SumRowTo(const LoosePair* pairs, size_t row_pairs, const int16_t* first, size_t stride,
              int32_t* sums) {
  __m256i partial[2 * kPanels];
#pragma GCC unroll 8
  for (size_t v = 0; v < 2 * kPanels; ++v) partial[v] = _mm256_setzero_si256();
  for (size_t t = 0; t < row_pairs; ++t) {
    const uint32_t value = pairs[t].value;
    if (value == 0) continue;
    const __m256i pair = _mm256_set1_epi32(static_cast<int32_t>(value));
    const int16_t* line = first + t * kLine;
#pragma GCC unroll 8
    for (size_t v = 0; v < 2 * kPanels; ++v) {
      const __m256i deltas = _mm256_load_si256(
          reinterpret_cast<const __m256i*>(line + v / 2 * stride + v % 2 * (kLine / 2)));
      partial[v] = _mm256_add_epi32(partial[v], _mm256_madd_epi16(deltas, pair));
    }
  }
  __m256i* out = reinterpret_cast<__m256i*>(sums);
#pragma GCC unroll 8
  for (size_t v = 0; v < 2 * kPanels; ++v) _mm256_store_si256(out + v, partial[v]);
}

void SumLineAvx2(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                 int32_t* sums) {
  const size_t stride = d.panel_stride;
  for (size_t i = 0; i < 2; ++i) {
    const LoosePair* pairs = reinterpret_cast<const LoosePair*>(values) + i * row_pairs;
    int32_t* row = sums + i * d.panels * kPanel;
    size_t p = 0;
    for (; p + 4 <= d.panels; p += 4) {
      SumRowTo<4>(pairs, row_pairs, d.first + p * stride, stride, row + p * kPanel);
    }
    const int16_t* first = d.first + p * stride;
    switch (d.panels - p) {
      case 3:
        SumRowTo<3>(pairs, row_pairs, first, stride, row + p * kPanel);
        break;
      case 2:
        SumRowTo<2>(pairs, row_pairs, first, stride, row + p * kPanel);
        break;
      case 1:
        SumRowTo<1>(pairs, row_pairs, first, stride, row + p * kPanel);
        break;
      default:
        break;
    }
  }
}

struct Constants {
  explicit Constants(const UpdateConstants& from)
      : multiplier(_mm256_set1_epi32(static_cast<int32_t>(from.multiplier))),
        inverse(_mm256_set1_epi32(from.inverse)),
        highest(_mm256_set1_epi32(from.limit)),
        lowest(_mm256_set1_epi32(-from.limit)),
        shift(_mm_cvtsi32_si128(static_cast<int32_t>(from.shift - 32))),
        narrow_shift(from.shift < 32) {}

  __m256i multiplier;
  __m256i inverse;
  __m256i highest;
  __m256i lowest;
  __m128i shift;      // after the high halves of the products
  bool narrow_shift;  // the shift is 31: inverse 1
};

// |n| / inverse. The high halves of the products of even and odd lanes, shifted by the rest.
inline __m256i Divide(const Constants& constants, __m256i magnitude) {
  if (constants.narrow_shift) return magnitude;
  const __m256i even = _mm256_mul_epu32(magnitude, constants.multiplier);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(magnitude, 32), constants.multiplier);
  const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  return _mm256_srl_epi32(high, constants.shift);
}

// The signed quotient, cut to +-65535, for 8 sums; residuals move on if kFeedback.
template <bool kFeedback>
inline __m256i Quotient(const Constants& constants, const int32_t* sums, int32_t* residuals) {
  __m256i total = _mm256_load_si256(reinterpret_cast<const __m256i*>(sums));
  if (kFeedback) {
    total = _mm256_add_epi32(total, _mm256_load_si256(reinterpret_cast<const __m256i*>(residuals)));
  }
  const __m256i magnitude = _mm256_abs_epi32(total);
  const __m256i quotient = Divide(constants, magnitude);
  if (kFeedback) {
    const __m256i rest =
        _mm256_sub_epi32(magnitude, _mm256_mullo_epi32(quotient, constants.inverse));
    _mm256_store_si256(reinterpret_cast<__m256i*>(residuals), _mm256_sign_epi32(rest, total));
  }
  const __m256i cut = _mm256_min_epu32(quotient, _mm256_set1_epi32(kQuotientMax));
  return _mm256_sign_epi32(cut, total);
}

// Moves the weights of 8 columns, both rows: 32-bit lanes with the even row in the low half.
template <bool kFeedback>
inline void MoveEight(const Constants& constants, const int32_t* sums, int32_t* residuals,
                      size_t width, int16_t* weights, __m256i& clamped, __m256i& magnitudes) {
  const __m256i even_step = Quotient<kFeedback>(constants, sums, residuals);
  const __m256i odd_step = Quotient<kFeedback>(constants, sums + width, residuals + width);
  __m256i* place = reinterpret_cast<__m256i*>(weights);
  const __m256i pairs = _mm256_load_si256(place);
  const __m256i even =
      _mm256_sub_epi32(_mm256_srai_epi32(_mm256_slli_epi32(pairs, 16), 16), even_step);
  const __m256i odd = _mm256_sub_epi32(_mm256_srai_epi32(pairs, 16), odd_step);
  const __m256i kept_even =
      _mm256_max_epi32(_mm256_min_epi32(even, constants.highest), constants.lowest);
  const __m256i kept_odd =
      _mm256_max_epi32(_mm256_min_epi32(odd, constants.highest), constants.lowest);
  clamped = _mm256_add_epi32(clamped, _mm256_add_epi32(_mm256_cmpeq_epi32(even, kept_even),
                                                       _mm256_cmpeq_epi32(odd, kept_odd)));
  const __m256i kept = _mm256_blend_epi16(kept_even, _mm256_slli_epi32(kept_odd, 16), 0xaa);
  magnitudes = _mm256_max_epu16(magnitudes, _mm256_abs_epi16(kept));
  _mm256_store_si256(place, kept);
}

struct SmallConstants {
  explicit SmallConstants(const UpdateConstants& from)
      : multiplier(_mm256_set1_epi32(from.small_multiplier)),
        inverse(_mm256_set1_epi32(from.inverse)),
        highest(_mm256_set1_epi16(static_cast<int16_t>(from.limit))),
        lowest(_mm256_set1_epi16(static_cast<int16_t>(-from.limit))),
        shift(_mm_cvtsi32_si128(from.small_shift)) {}

  __m256i multiplier;
  __m256i inverse;
  __m256i highest;
  __m256i lowest;
  __m128i shift;
};

// The signed quotient of 8 small sums; residuals move on if kFeedback.
template <bool kFeedback>
inline __m256i SmallQuotient(const SmallConstants& constants, const int32_t* sums,
                             int32_t* residuals) {
  __m256i total = _mm256_load_si256(reinterpret_cast<const __m256i*>(sums));
  __m256i* rest = reinterpret_cast<__m256i*>(residuals);
  if (kFeedback) total = _mm256_add_epi32(total, _mm256_load_si256(rest));
  const __m256i even = _mm256_mul_epi32(total, constants.multiplier);
  const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(total, 32), constants.multiplier);
  const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  const __m256i quotient =
      _mm256_add_epi32(_mm256_sra_epi32(high, constants.shift), _mm256_srli_epi32(total, 31));
  if (kFeedback) {
    _mm256_store_si256(rest,
                       _mm256_sub_epi32(total, _mm256_mullo_epi32(quotient, constants.inverse)));
  }
  return quotient;
}

// As MoveEight, in 16 bits: saturation at +-32767 or -32768 comes before a clamp that is no wider.
template <bool kFeedback>
inline void MoveEightSmall(const SmallConstants& constants, const int32_t* sums, int32_t* residuals,
                           size_t width, int16_t* weights, __m256i& same, __m256i& magnitudes) {
  const __m256i even = SmallQuotient<kFeedback>(constants, sums, residuals);
  const __m256i odd = SmallQuotient<kFeedback>(constants, sums + width, residuals + width);
  const __m256i steps = _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa);
  __m256i* place = reinterpret_cast<__m256i*>(weights);
  const __m256i before = _mm256_load_si256(place);
  const __m256i kept = _mm256_max_epi16(
      _mm256_min_epi16(_mm256_subs_epi16(before, steps), constants.highest), constants.lowest);
  magnitudes = _mm256_max_epu16(magnitudes, _mm256_abs_epi16(kept));
  _mm256_store_si256(place, kept);
  // A sum that saturated was cut too, even where the clamp changed nothing more.
  const __m256i equal = _mm256_cmpeq_epi16(_mm256_sub_epi16(before, steps), kept);
  same = _mm256_add_epi32(same, _mm256_madd_epi16(equal, _mm256_set1_epi16(1)));
}

template <bool kFeedback>
void UpdateLineAvx2(const UpdateConstants& from, const int32_t* sums, int32_t* residuals,
                    PanelLines<int16_t> weights, UpdateTally& tally) {
  const Constants constants(from);
  const SmallConstants small(from);
  const size_t width = weights.panels * kPanel;
  __m256i equal = _mm256_setzero_si256();
  const __m256i known = _mm256_set1_epi16(static_cast<int16_t>(tally.magnitude_max));
  __m256i magnitudes = known;
  for (size_t j = 0; j < width; j += 8) {
    int16_t* place = weights.first + j / kPanel * weights.panel_stride + j % kPanel * 2;
    if (from.small) {
      MoveEightSmall<kFeedback>(small, sums + j, residuals + j, width, place, equal, magnitudes);
    } else {
      MoveEight<kFeedback>(constants, sums + j, residuals + j, width, place, equal, magnitudes);
    }
  }
  // Each element that was not cut counted -1.
  alignas(32) int32_t counts[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(counts), equal);
  tally.clamped += 2 * width;
  for (const int32_t count : counts) tally.clamped -= static_cast<uint32_t>(-count);
  if (_mm256_movemask_epi8(_mm256_cmpeq_epi16(magnitudes, known)) == -1) return;
  alignas(32) uint16_t sizes[kPanel];
  _mm256_store_si256(reinterpret_cast<__m256i*>(sizes), magnitudes);
  for (const uint16_t size : sizes) {
    if (size > tally.magnitude_max) tally.magnitude_max = size;
  }
}

void UpdateTowardZeroAvx2(const UpdateConstants& constants, const int32_t* sums,
                          PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineAvx2<false>(constants, sums, nullptr, weights, tally);
}

}  // namespace

extern const RowTable kAvx2Rows;
const RowTable kAvx2Rows = {
    Level::kAvx2,         ListPairs,
    AddPairsAvx2,         PairRowsX86,
    SumLineAvx2,          UpdateTowardZeroAvx2,
    UpdateLineAvx2<true>, TrainLines<SumLineAvx2, UpdateTowardZeroAvx2, UpdateLineAvx2<true>>};

}  // namespace tally::kernels
