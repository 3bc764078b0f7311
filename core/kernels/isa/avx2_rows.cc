// AVX2: a pair product is one vpmaddwd on eight columns; division by a pair of 32 x 32 -> 64 bit
// multiplications.

#include <immintrin.h>

#include "core/kernels/isa/vector_rows.h"
#include "core/kernels/isa/x86_pair_rows.h"

namespace tally::kernels {
namespace {

// For each set of lanes their numbers, to move these lanes to the front.
struct FrontLanes {
  uint8_t of_set[256][8] = {};
};
constexpr FrontLanes MakeFrontLanes() {
  FrontLanes lanes;
  for (unsigned set = 0; set < 256; ++set) {
    size_t count = 0;
    for (uint8_t lane = 0; lane < 8; ++lane) {
      if ((set >> lane & 1) != 0) lanes.of_set[set][count++] = lane;
    }
  }
  return lanes;
}
constexpr FrontLanes kFrontLanes = MakeFrontLanes();

// The set of lanes that are not zero, a bit each.
inline uint32_t NonZeroLanes(__m256i values) {
  const __m256i zero = _mm256_cmpeq_epi32(values, _mm256_setzero_si256());
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(zero))) ^ 0xffu;
}

// The numbers of the lanes of a set, from the front on.
inline __m256i Front(uint32_t set) {
  return _mm256_cvtepu8_epi32(
      _mm_loadl_epi64(reinterpret_cast<const __m128i*>(kFrontLanes.of_set[set])));
}

// Eight pairs a turn: those that are not zero move to the front, beside their lines. What is stored
// behind them is overwritten or beyond the end of the list; it never passes the pairs looked at.
size_t ListPairsAvx2(const int16_t* x, size_t pairs, uint32_t first_line, PairTerm* terms) {
  const LoosePair* source = reinterpret_cast<const LoosePair*>(x);
  __m256i lines = _mm256_add_epi32(_mm256_set1_epi32(static_cast<int32_t>(first_line)),
                                   _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  size_t listed = 0;
  size_t i = 0;
  for (; i + 8 <= pairs; i += 8) {
    const __m256i values = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(source + i));
    const uint32_t nonzero = NonZeroLanes(values);
    const __m256i front = Front(nonzero);
    const __m256i kept = _mm256_permutevar8x32_epi32(values, front);
    const __m256i places = _mm256_permutevar8x32_epi32(lines, front);
    const __m256i even = _mm256_unpacklo_epi32(places, kept);  // terms 0, 1, 4, 5
    const __m256i odd = _mm256_unpackhi_epi32(places, kept);   // terms 2, 3, 6, 7
    __m256i* to = reinterpret_cast<__m256i*>(terms + listed);
    _mm256_storeu_si256(to, _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256(to + 1, _mm256_permute2x128_si256(even, odd, 0x31));
    listed += static_cast<size_t>(__builtin_popcount(nonzero));
    lines = _mm256_add_epi32(lines, _mm256_set1_epi32(8));
  }
  for (; i < pairs; ++i) {
    const uint32_t pair = source[i].value;
    if (pair != 0) terms[listed++] = {first_line + static_cast<uint32_t>(i), pair};
  }
  return listed;
}

// kPanels neighbouring panels at once, so that enough sums are under way to hide the latency.
template <size_t kPanels>
void AddPairsTo(const PairTerm* terms, size_t count, const int16_t* first, size_t stride,
                int32_t* sums) {
  __m256i* out = reinterpret_cast<__m256i*>(sums);
  __m256i partial[2 * kPanels];
#pragma GCC unroll 8
  for (size_t v = 0; v < 2 * kPanels; ++v) {
    partial[v] = _mm256_load_si256(out + v);
  }
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

// Ones in the first `count` lanes, at most 8.
inline __m256i FirstLanes(size_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(count)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

inline __m256i LoadLanes(const Pair* from, __m256i lanes) {
  return _mm256_maskload_epi32(reinterpret_cast<const int*>(from), lanes);
}

// Lists the pairs of rows in which either input of a line is not zero. Stores eight places at a
// time, up to `row_pairs` rounded up to eight.
size_t ListRowPairs(const Pair* even, const Pair* odd, size_t row_pairs, uint32_t* places) {
  size_t listed = 0;
  for (size_t t = 0; t < row_pairs; t += 8) {
    const __m256i valid = FirstLanes(row_pairs - t < 8 ? row_pairs - t : 8);
    const uint32_t nonzero =
        NonZeroLanes(_mm256_or_si256(LoadLanes(even + t, valid), LoadLanes(odd + t, valid)));
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(places + listed),
        _mm256_add_epi32(Front(nonzero), _mm256_set1_epi32(static_cast<int32_t>(t))));
    listed += static_cast<size_t>(__builtin_popcount(nonzero));
  }
  return listed;
}

// What the panels of a line have in common: its two inputs in pairs of rows, and which pairs count.
struct LineOfRows {
  const Pair* even;
  const Pair* odd;
  const uint32_t* places;
  size_t count;
};

// kPanels neighbouring panels at once, both rows of the line from the same load of the deltas.
template <bool kAdd, size_t kPanels>
void SumLineTo(const LineOfRows& line, const int16_t* first, size_t stride, int32_t* even_sums,
               int32_t* odd_sums) {
  __m256i* even_out = reinterpret_cast<__m256i*>(even_sums);
  __m256i* odd_out = reinterpret_cast<__m256i*>(odd_sums);
  __m256i even[2 * kPanels];
  __m256i odd[2 * kPanels];
#pragma GCC unroll 4
  for (size_t v = 0; v < 2 * kPanels; ++v) {
    even[v] = kAdd ? _mm256_load_si256(even_out + v) : _mm256_setzero_si256();
    odd[v] = kAdd ? _mm256_load_si256(odd_out + v) : _mm256_setzero_si256();
  }
  for (size_t i = 0; i < line.count; ++i) {
    const size_t t = line.places[i];
    const __m256i even_pair = _mm256_set1_epi32(static_cast<int32_t>(line.even[t]));
    const __m256i odd_pair = _mm256_set1_epi32(static_cast<int32_t>(line.odd[t]));
    const int16_t* deltas = first + t * kLine;
#pragma GCC unroll 4
    for (size_t v = 0; v < 2 * kPanels; ++v) {
      const __m256i eight = _mm256_load_si256(
          reinterpret_cast<const __m256i*>(deltas + v / 2 * stride + v % 2 * (kLine / 2)));
      even[v] = _mm256_add_epi32(even[v], _mm256_madd_epi16(eight, even_pair));
      odd[v] = _mm256_add_epi32(odd[v], _mm256_madd_epi16(eight, odd_pair));
    }
  }
#pragma GCC unroll 4
  for (size_t v = 0; v < 2 * kPanels; ++v) {
    _mm256_store_si256(even_out + v, even[v]);
    _mm256_store_si256(odd_out + v, odd[v]);
  }
}

template <bool kAdd>
void SumPanels(const LineOfRows& line, PanelLines<const int16_t> d, int32_t* sums) {
  int32_t* odd_sums = sums + d.panels * kPanel;
  size_t p = 0;
  for (; p + 2 <= d.panels; p += 2) {
    SumLineTo<kAdd, 2>(line, d.first + p * d.panel_stride, d.panel_stride, sums + p * kPanel,
                       odd_sums + p * kPanel);
  }
  if (p < d.panels) {
    SumLineTo<kAdd, 1>(line, d.first + p * d.panel_stride, d.panel_stride, sums + p * kPanel,
                       odd_sums + p * kPanel);
  }
}

// Pairs of rows that are zero in both inputs are left out beforehand: to test each in the loop over
// products would be a branch that no processor foresees. One list serves both inputs and is walked
// once for each panel or two: a list for each input would be shorter, and was slower.
void SumLineAvx2(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                 int32_t* sums) {
  constexpr size_t kRun = 128;
  uint32_t places[kRun];
  const Pair* even = reinterpret_cast<const Pair*>(values);
  for (size_t begin = 0; begin < row_pairs; begin += kRun) {
    LineOfRows line = {even + begin, even + row_pairs + begin, places, 0};
    line.count = ListRowPairs(line.even, line.odd,
                              row_pairs - begin < kRun ? row_pairs - begin : kRun, places);
    d.first += begin == 0 ? 0 : kRun * kLine;
    if (begin == 0) {
      SumPanels<false>(line, d, sums);
    } else {
      SumPanels<true>(line, d, sums);
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
  const __m256i odd_step =
      Quotient<kFeedback>(constants, sums + width, kFeedback ? residuals + width : nullptr);
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

// Of `weights` elements each that was not cut counted -1 in `equal`.
void CountClamped(__m256i equal, size_t weights, UpdateTally& tally) {
  alignas(32) int32_t counts[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(counts), equal);
  tally.clamped += weights;
  for (const int32_t count : counts) tally.clamped -= static_cast<uint32_t>(-count);
}

__m256i KnownMagnitudes(const UpdateTally& tally) {
  return _mm256_set1_epi16(static_cast<int16_t>(tally.magnitude_max));
}

void TakeMagnitudes(__m256i magnitudes, UpdateTally& tally) {
  const __m256i same = _mm256_cmpeq_epi16(magnitudes, KnownMagnitudes(tally));
  if (_mm256_movemask_epi8(same) == -1) return;
  alignas(32) uint16_t sizes[kPanel];
  _mm256_store_si256(reinterpret_cast<__m256i*>(sizes), magnitudes);
  for (const uint16_t size : sizes) {
    if (size > tally.magnitude_max) tally.magnitude_max = size;
  }
}

struct Avx2Machine {
  static constexpr size_t kColumns = 8;
  using Sums = __m256i;

  struct Constants {
    explicit Constants(const UpdateConstants& from)
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

  struct Lanes {
    __m256i same;  // -1 for each weight that was not cut
    __m256i magnitudes;
  };

  static Sums LoadSums(const int32_t* sums) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(sums));
  }
  static __m256i Factor(const int16_t* x) {
    return _mm256_set1_epi32(static_cast<int32_t>(reinterpret_cast<const LoosePair*>(x)->value));
  }
  static Sums Product(const int16_t* deltas, __m256i factor) {
    return _mm256_madd_epi16(_mm256_load_si256(reinterpret_cast<const __m256i*>(deltas)), factor);
  }

  // The signed quotient of 8 small sums; residuals move on if kFeedback.
  template <bool kFeedback>
  static __m256i Quotient(const Constants& constants, Sums sums, int32_t* residuals) {
    __m256i total = sums;
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

  // As MoveEight, in 16 bits: saturation at +-32767 or -32768 comes before a clamp that is no
  // wider; a sum that saturated was cut too, even where the clamp changed nothing more.
  template <bool kFeedback>
  static void Move(const Constants& constants, Sums even_sums, Sums odd_sums, int32_t* residuals,
                   int32_t* odd_residuals, int16_t* weights, Lanes& lanes) {
    const __m256i even = Quotient<kFeedback>(constants, even_sums, residuals);
    const __m256i odd = Quotient<kFeedback>(constants, odd_sums, odd_residuals);
    const __m256i steps = _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa);
    __m256i* place = reinterpret_cast<__m256i*>(weights);
    const __m256i before = _mm256_load_si256(place);
    const __m256i kept = _mm256_max_epi16(
        _mm256_min_epi16(_mm256_subs_epi16(before, steps), constants.highest), constants.lowest);
    lanes.magnitudes = _mm256_max_epu16(lanes.magnitudes, _mm256_abs_epi16(kept));
    _mm256_store_si256(place, kept);
    const __m256i equal = _mm256_cmpeq_epi16(_mm256_sub_epi16(before, steps), kept);
    lanes.same = _mm256_add_epi32(lanes.same, _mm256_madd_epi16(equal, _mm256_set1_epi16(1)));
  }

  static Lanes Begin(const UpdateTally& tally) {
    return {_mm256_setzero_si256(), KnownMagnitudes(tally)};
  }
  static void Take(const Lanes& lanes, size_t weights, UpdateTally& tally) {
    CountClamped(lanes.same, weights, tally);
    TakeMagnitudes(lanes.magnitudes, tally);
  }
};

template <bool kFeedback>
void UpdateLineAvx2(const UpdateConstants& from, const int32_t* sums, int32_t* residuals,
                    PanelLines<int16_t> weights, UpdateTally& tally) {
  if (from.small) {
    return UpdateLineSmall<Avx2Machine, kFeedback>(from, sums, residuals, weights, tally);
  }
  const Constants constants(from);
  const size_t width = weights.panels * kPanel;
  __m256i equal = _mm256_setzero_si256();
  __m256i magnitudes = KnownMagnitudes(tally);
  for (size_t j = 0; j < width; j += 8) {
    MoveEight<kFeedback>(constants, sums + j, kFeedback ? residuals + j : nullptr, width,
                         weights.first + j / kPanel * weights.panel_stride + j % kPanel * 2, equal,
                         magnitudes);
  }
  CountClamped(equal, 2 * width, tally);
  TakeMagnitudes(magnitudes, tally);
}

void UpdateTowardZeroAvx2(const UpdateConstants& constants, const int32_t* sums,
                          PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineAvx2<false>(constants, sums, nullptr, weights, tally);
}

}  // namespace

extern const RowTable kAvx2Rows;
const RowTable kAvx2Rows = {
    Level::kAvx2,
    ListPairsAvx2,
    AddPairsAvx2,
    PairRowsX86,
    SumLineAvx2,
    UpdateTowardZeroAvx2,
    UpdateLineAvx2<true>,
    TrainLinesByVectors<Avx2Machine, SumLineAvx2, UpdateTowardZeroAvx2, UpdateLineAvx2<true>>};

}  // namespace tally::kernels
