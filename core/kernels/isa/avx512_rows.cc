// AVX-512 with VNNI: a pair product and its addition are one vpdpwssd on sixteen columns.

#include <immintrin.h>

#include "core/kernels/isa/x86_pair_rows.h"

namespace tally::kernels {
namespace {

// Sixteen pairs a turn: those that are not zero move to the front, beside their lines.
size_t ListPairsAvx512(const int16_t* x, size_t pairs, uint32_t first_line, PairTerm* terms) {
  const __m512i first_half =
      _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i second_half = _mm512_add_epi32(first_half, _mm512_set1_epi32(8));
  __m512i lines =
      _mm512_add_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                       _mm512_set1_epi32(static_cast<int32_t>(first_line)));
  const uint32_t* source = reinterpret_cast<const uint32_t*>(x);
  size_t listed = 0;
  for (size_t i = 0; i < pairs; i += kPanel) {
    const size_t left = pairs - i;
    const __mmask16 valid = static_cast<__mmask16>(left >= kPanel ? 0xffffu : (1u << left) - 1);
    const __m512i values = _mm512_maskz_loadu_epi32(valid, source + i);
    const __mmask16 nonzero = _mm512_test_epi32_mask(values, values);
    const uint32_t count = static_cast<uint32_t>(__builtin_popcount(nonzero));
    const __m512i kept = _mm512_maskz_compress_epi32(nonzero, values);
    const __m512i places = _mm512_maskz_compress_epi32(nonzero, lines);
    // Only what is kept is stored: `terms` has room for no more than all pairs.
    const uint32_t words = 2 * count;
    const __mmask16 low = static_cast<__mmask16>(words >= 16 ? 0xffffu : (1u << words) - 1);
    const __mmask16 high = static_cast<__mmask16>(
        words <= 16 ? 0u : (words >= 32 ? 0xffffu : (1u << (words - 16)) - 1));
    _mm512_mask_storeu_epi32(terms + listed, low,
                             _mm512_permutex2var_epi32(places, first_half, kept));
    if (high != 0) {
      _mm512_mask_storeu_epi32(terms + listed + 8, high,
                               _mm512_permutex2var_epi32(places, second_half, kept));
    }
    listed += count;
    lines = _mm512_add_epi32(lines, _mm512_set1_epi32(kPanel));
  }
  return listed;
}

template <size_t kPanels>
void AddPairsTo(const PairTerm* terms, size_t count, const int16_t* first, size_t stride,
                int32_t* sums) {
  __m512i partial[kPanels];
#pragma GCC unroll 8
  for (size_t p = 0; p < kPanels; ++p) partial[p] = _mm512_load_si512(sums + p * kPanel);
  for (size_t t = 0; t < count; ++t) {
    const __m512i pair = _mm512_set1_epi32(static_cast<int32_t>(terms[t].pair));
    const int16_t* line = first + terms[t].line * kLine;
#pragma GCC unroll 8
    for (size_t p = 0; p < kPanels; ++p) {
      partial[p] = _mm512_dpwssd_epi32(partial[p], _mm512_load_si512(line + p * stride), pair);
    }
  }
#pragma GCC unroll 8
  for (size_t p = 0; p < kPanels; ++p) _mm512_store_si512(sums + p * kPanel, partial[p]);
}

void AddPairsAvx512(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                    int32_t* sums) {
  const size_t stride = lines.panel_stride;
  size_t p = 0;
  for (; p + 8 <= lines.panels; p += 8) {
    AddPairsTo<8>(terms, count, lines.first + p * stride, stride, sums + p * kPanel);
  }
  const int16_t* first = lines.first + p * stride;
  int32_t* rest = sums + p * kPanel;
  switch (lines.panels - p) {
    case 7:
      return AddPairsTo<7>(terms, count, first, stride, rest);
    case 6:
      return AddPairsTo<6>(terms, count, first, stride, rest);
    case 5:
      return AddPairsTo<5>(terms, count, first, stride, rest);
    case 4:
      return AddPairsTo<4>(terms, count, first, stride, rest);
    case 3:
      return AddPairsTo<3>(terms, count, first, stride, rest);
    case 2:
      return AddPairsTo<2>(terms, count, first, stride, rest);
    case 1:
      return AddPairsTo<1>(terms, count, first, stride, rest);
    default:
      return;
  }
}

// One row of a line for kPanels neighbouring panels.
template <size_t kPanels>
void SumRowTo(const uint32_t* pairs, size_t row_pairs, const int16_t* first, size_t stride,
              int32_t* sums) {
  __m512i partial[kPanels];
#pragma GCC unroll 8
  for (size_t p = 0; p < kPanels; ++p) partial[p] = _mm512_setzero_si512();
  for (size_t begin = 0; begin < row_pairs; begin += kPanel) {
    const size_t left = row_pairs - begin;
    const __mmask16 valid = static_cast<__mmask16>(left >= kPanel ? 0xffffu : (1u << left) - 1);
    const __m512i values = _mm512_maskz_loadu_epi32(valid, pairs + begin);
    uint32_t nonzero = _mm512_test_epi32_mask(values, values);
    for (; nonzero != 0; nonzero &= nonzero - 1) {
      const size_t t = begin + static_cast<size_t>(__builtin_ctz(nonzero));
      const __m512i pair = _mm512_set1_epi32(static_cast<int32_t>(pairs[t]));
      const int16_t* line = first + t * kLine;
#pragma GCC unroll 8
      for (size_t p = 0; p < kPanels; ++p) {
        partial[p] = _mm512_dpwssd_epi32(partial[p], _mm512_load_si512(line + p * stride), pair);
      }
    }
  }
#pragma GCC unroll 8
  for (size_t p = 0; p < kPanels; ++p) _mm512_store_si512(sums + p * kPanel, partial[p]);
}

void SumRowAvx512(const uint32_t* pairs, size_t row_pairs, PanelLines<const int16_t> d,
                  int32_t* sums) {
  const size_t stride = d.panel_stride;
  size_t p = 0;
  for (; p + 8 <= d.panels; p += 8) {
    SumRowTo<8>(pairs, row_pairs, d.first + p * stride, stride, sums + p * kPanel);
  }
  const int16_t* first = d.first + p * stride;
  int32_t* rest = sums + p * kPanel;
  switch (d.panels - p) {
    case 7:
      return SumRowTo<7>(pairs, row_pairs, first, stride, rest);
    case 6:
      return SumRowTo<6>(pairs, row_pairs, first, stride, rest);
    case 5:
      return SumRowTo<5>(pairs, row_pairs, first, stride, rest);
    case 4:
      return SumRowTo<4>(pairs, row_pairs, first, stride, rest);
    case 3:
      return SumRowTo<3>(pairs, row_pairs, first, stride, rest);
    case 2:
      return SumRowTo<2>(pairs, row_pairs, first, stride, rest);
    case 1:
      return SumRowTo<1>(pairs, row_pairs, first, stride, rest);
    default:
      return;
  }
}

void SumLineAvx512(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                   int32_t* sums) {
  const uint32_t* pairs = reinterpret_cast<const uint32_t*>(values);
  SumRowAvx512(pairs, row_pairs, d, sums);
  SumRowAvx512(pairs + row_pairs, row_pairs, d, sums + d.panels * kPanel);
}

struct Constants {
  explicit Constants(const UpdateConstants& from)
      : multiplier(_mm512_set1_epi32(static_cast<int32_t>(from.multiplier))),
        inverse(_mm512_set1_epi32(from.inverse)),
        highest(_mm512_set1_epi32(from.limit)),
        lowest(_mm512_set1_epi32(-from.limit)),
        shift(_mm_cvtsi32_si128(static_cast<int32_t>(from.shift) - 32)),
        by_one(from.shift < 32) {}

  __m512i multiplier;
  __m512i inverse;
  __m512i highest;
  __m512i lowest;
  __m128i shift;  // after the high halves of the products
  bool by_one;    // the shift is 31 for inverse 1 only
};

// |n| / inverse: the high halves of the products of even and odd lanes, shifted by the rest.
inline __m512i Divide(const Constants& constants, __m512i magnitude) {
  if (constants.by_one) return magnitude;
  const __m512i even = _mm512_mul_epu32(magnitude, constants.multiplier);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(magnitude, 32), constants.multiplier);
  const __m512i high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
  return _mm512_srl_epi32(high, constants.shift);
}

// The signed quotient, cut to +-65535, for 16 sums; residuals move on if kFeedback.
template <bool kFeedback>
inline __m512i Quotient(const Constants& constants, const int32_t* sums, int32_t* residuals) {
  __m512i total = _mm512_load_si512(sums);
  if (kFeedback) total = _mm512_add_epi32(total, _mm512_load_si512(residuals));
  const __m512i magnitude = _mm512_abs_epi32(total);
  const __m512i zero = _mm512_setzero_si512();
  const __mmask16 negative = _mm512_cmplt_epi32_mask(total, zero);
  const __m512i quotient = Divide(constants, magnitude);
  if (kFeedback) {
    const __m512i rest =
        _mm512_sub_epi32(magnitude, _mm512_mullo_epi32(quotient, constants.inverse));
    _mm512_store_si512(residuals, _mm512_mask_sub_epi32(rest, negative, zero, rest));
  }
  const __m512i cut = _mm512_min_epu32(quotient, _mm512_set1_epi32(kQuotientMax));
  return _mm512_mask_sub_epi32(cut, negative, zero, cut);
}

// Moves the weights of one panel's line: 32-bit lanes with the even row in the low half.
template <bool kFeedback>
inline uint32_t MovePanel(const Constants& constants, const int32_t* sums, int32_t* residuals,
                          size_t width, int16_t* weights, __m512i& magnitudes) {
  const __m512i even_step = Quotient<kFeedback>(constants, sums, residuals);
  const __m512i odd_step =
      Quotient<kFeedback>(constants, sums + width, kFeedback ? residuals + width : nullptr);
  const __m512i pairs = _mm512_load_si512(weights);
  const __m512i even =
      _mm512_sub_epi32(_mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16), even_step);
  const __m512i odd = _mm512_sub_epi32(_mm512_srai_epi32(pairs, 16), odd_step);
  const __m512i kept_even =
      _mm512_max_epi32(_mm512_min_epi32(even, constants.highest), constants.lowest);
  const __m512i kept_odd =
      _mm512_max_epi32(_mm512_min_epi32(odd, constants.highest), constants.lowest);
  const uint32_t clamped = uint32_t{_mm512_cmpneq_epi32_mask(even, kept_even)} |
                           uint32_t{_mm512_cmpneq_epi32_mask(odd, kept_odd)} << 16;
  const __m512i kept =
      _mm512_mask_blend_epi16(0xaaaaaaaau, kept_even, _mm512_slli_epi32(kept_odd, 16));
  magnitudes = _mm512_max_epu16(magnitudes, _mm512_abs_epi16(kept));
  _mm512_store_si512(weights, kept);
  return clamped;
}

struct SmallConstants {
  explicit SmallConstants(const UpdateConstants& from)
      : multiplier(_mm512_set1_epi32(from.small_multiplier)),
        inverse(_mm512_set1_epi32(from.inverse)),
        highest(_mm512_set1_epi16(static_cast<int16_t>(from.limit))),
        lowest(_mm512_set1_epi16(static_cast<int16_t>(-from.limit))),
        shift(_mm_cvtsi32_si128(from.small_shift)) {}

  __m512i multiplier;
  __m512i inverse;
  __m512i highest;
  __m512i lowest;
  __m128i shift;
};

// The signed quotient of 16 small sums; residuals move on if kFeedback.
template <bool kFeedback>
inline __m512i SmallQuotient(const SmallConstants& constants, __m512i sums, int32_t* residuals) {
  __m512i total = sums;
  if (kFeedback) total = _mm512_add_epi32(total, _mm512_load_si512(residuals));
  const __m512i even = _mm512_mul_epi32(total, constants.multiplier);
  const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(total, 32), constants.multiplier);
  // The high halves: those of the even lanes move one down.
  const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
  const __m512i quotient =
      _mm512_add_epi32(_mm512_sra_epi32(high, constants.shift), _mm512_srli_epi32(total, 31));
  if (kFeedback) {
    _mm512_store_si512(residuals,
                       _mm512_sub_epi32(total, _mm512_mullo_epi32(quotient, constants.inverse)));
  }
  return quotient;
}

// As MovePanel, in 16 bits: saturation at +-32767 or -32768 comes before a clamp that is no wider.
template <bool kFeedback>
inline uint32_t MovePanelSmall(const SmallConstants& constants, __m512i even_sums, __m512i odd_sums,
                               int32_t* residuals, size_t width, int16_t* weights,
                               __m512i& magnitudes) {
  const __m512i even = SmallQuotient<kFeedback>(constants, even_sums, residuals);
  const __m512i odd =
      SmallQuotient<kFeedback>(constants, odd_sums, kFeedback ? residuals + width : nullptr);
  const __m512i steps = _mm512_mask_blend_epi16(0xaaaaaaaau, even, _mm512_slli_epi32(odd, 16));
  const __m512i before = _mm512_load_si512(weights);
  const __m512i moved = _mm512_subs_epi16(before, steps);
  const __m512i kept =
      _mm512_max_epi16(_mm512_min_epi16(moved, constants.highest), constants.lowest);
  magnitudes = _mm512_max_epu16(magnitudes, _mm512_abs_epi16(kept));
  _mm512_store_si512(weights, kept);
  // A sum that saturated was cut too, even where the clamp changed nothing more.
  return _mm512_cmpneq_epi16_mask(_mm512_sub_epi16(before, steps), kept);
}

void TakeMagnitudes(__m512i known, __m512i magnitudes, UpdateTally& tally) {
  if (_mm512_cmpneq_epi16_mask(magnitudes, known) == 0) return;
  alignas(64) uint16_t sizes[2 * kPanel];
  _mm512_store_si512(sizes, magnitudes);
  for (const uint16_t size : sizes) {
    if (size > tally.magnitude_max) tally.magnitude_max = size;
  }
}

template <bool kFeedback>
void UpdateLineAvx512(const UpdateConstants& from, const int32_t* sums, int32_t* residuals,
                      PanelLines<int16_t> weights, UpdateTally& tally) {
  const Constants constants(from);
  const size_t width = weights.panels * kPanel;
  const __m512i known = _mm512_set1_epi16(static_cast<int16_t>(tally.magnitude_max));
  __m512i magnitudes = known;
  for (size_t p = 0; p < weights.panels; ++p) {
    const size_t first = p * kPanel;
    const uint32_t clamped =
        MovePanel<kFeedback>(constants, sums + first, kFeedback ? residuals + first : nullptr,
                             width, weights.first + p * weights.panel_stride, magnitudes);
    tally.clamped += static_cast<uint64_t>(__builtin_popcount(clamped));
  }
  TakeMagnitudes(known, magnitudes, tally);
}

void UpdateTowardZeroAvx512(const UpdateConstants& constants, const int32_t* sums,
                            PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLineAvx512<false>(constants, sums, nullptr, weights, tally);
}

// What kPanels panels of every line share.
struct PanelRun {
  const int16_t* d;    // line 0 of the first panel
  int16_t* weights;    // likewise
  int32_t* residuals;  // line 0, first column of the panels
  size_t width;        // of a row of residuals
};

// Adds the products of one row of values to the sums of kPanels panels.
template <size_t kPanels>
inline void AddRow(const uint32_t* pairs, size_t row_pairs, const int16_t* first, size_t stride,
                   __m512i (&sums)[kPanels]) {
  for (size_t begin = 0; begin < row_pairs; begin += kPanel) {
    const size_t left = row_pairs - begin;
    const __mmask16 valid = static_cast<__mmask16>(left >= kPanel ? 0xffffu : (1u << left) - 1);
    const __m512i values = _mm512_maskz_loadu_epi32(valid, pairs + begin);
    uint32_t nonzero = _mm512_test_epi32_mask(values, values);
    for (; nonzero != 0; nonzero &= nonzero - 1) {
      const size_t t = begin + static_cast<size_t>(__builtin_ctz(nonzero));
      const __m512i pair = _mm512_set1_epi32(static_cast<int32_t>(pairs[t]));
      const int16_t* line = first + t * kLine;
#pragma GCC unroll 4
      for (size_t p = 0; p < kPanels; ++p) {
        sums[p] = _mm512_dpwssd_epi32(sums[p], _mm512_load_si512(line + p * stride), pair);
      }
    }
  }
}

// Sums stay in registers until they have moved the weights.
template <bool kFeedback, size_t kPanels>
void TrainPanels(const LineJob& job, const SmallConstants& constants, const PanelRun& run,
                 __m512i& magnitudes, UpdateTally& tally) {
  const size_t row_pairs = (job.rows + 1) / 2;
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    const uint32_t* pairs = reinterpret_cast<const uint32_t*>(job.values) + line * 2 * row_pairs;
    __m512i even[kPanels];
    __m512i odd[kPanels];
#pragma GCC unroll 4
    for (size_t p = 0; p < kPanels; ++p) even[p] = odd[p] = _mm512_setzero_si512();
    AddRow(pairs, row_pairs, run.d, job.d.panel_stride, even);
    AddRow(pairs + row_pairs, row_pairs, run.d, job.d.panel_stride, odd);
    int32_t* residuals = kFeedback ? run.residuals + line * 2 * run.width : nullptr;
    int16_t* weights = run.weights + line * kLine;
    uint32_t clamped = 0;
#pragma GCC unroll 4
    for (size_t p = 0; p < kPanels; ++p) {
      clamped += static_cast<uint32_t>(__builtin_popcount(MovePanelSmall<kFeedback>(
          constants, even[p], odd[p], kFeedback ? residuals + p * kPanel : nullptr, run.width,
          weights + p * job.weights.panel_stride, magnitudes)));
    }
    tally.clamped += clamped;
  }
}

// For one row a sum is one product; panels without a delta are left out.
template <bool kFeedback>
void TrainOneRowSmall(const LineJob& job, const SmallConstants& constants, __m512i& magnitudes,
                      UpdateTally& tally) {
  const size_t count = ListMovingColumns<kPanel>(job, job.sums);
  const size_t width = job.weights.panels * kPanel;
  const uint32_t* pairs = reinterpret_cast<const uint32_t*>(job.values);
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    const __m512i even = _mm512_set1_epi32(static_cast<int32_t>(pairs[2 * line]));
    const __m512i odd = _mm512_set1_epi32(static_cast<int32_t>(pairs[2 * line + 1]));
    int32_t* residuals = kFeedback ? job.residuals + line * 2 * width : nullptr;
    int16_t* weights = job.weights.first + line * kLine;
    uint32_t clamped = 0;
    for (size_t c = 0; c < count; ++c) {
      const size_t column = static_cast<size_t>(job.sums[c]);
      const size_t panel = column / kPanel;
      const __m512i d = _mm512_load_si512(job.d.first + panel * job.d.panel_stride);
      clamped += static_cast<uint32_t>(__builtin_popcount(MovePanelSmall<kFeedback>(
          constants, _mm512_madd_epi16(d, even), _mm512_madd_epi16(d, odd),
          kFeedback ? residuals + column : nullptr, width,
          weights + panel * job.weights.panel_stride, magnitudes)));
    }
    tally.clamped += clamped;
  }
}

template <bool kFeedback>
void TrainSmall(const LineJob& job, const UpdateConstants& from, UpdateTally& tally) {
  const SmallConstants constants(from);
  const __m512i known = _mm512_set1_epi16(static_cast<int16_t>(tally.magnitude_max));
  __m512i magnitudes = known;
  if (job.rows == 1) {
    TrainOneRowSmall<kFeedback>(job, constants, magnitudes, tally);
    return TakeMagnitudes(known, magnitudes, tally);
  }
  const size_t panels = job.weights.panels;
  for (size_t p = 0; p < panels;) {
    const PanelRun run = {job.d.first + p * job.d.panel_stride,
                          job.weights.first + p * job.weights.panel_stride,
                          kFeedback ? job.residuals + p * kPanel : nullptr, panels * kPanel};
    // Four panels a run, and five to seven as two like halves.
    const size_t left = panels - p;
    const size_t take = left >= 8 || left <= 4 ? (left < 4 ? left : 4) : (left + 1) / 2;
    switch (take) {
      case 4:
        TrainPanels<kFeedback, 4>(job, constants, run, magnitudes, tally);
        break;
      case 3:
        TrainPanels<kFeedback, 3>(job, constants, run, magnitudes, tally);
        break;
      case 2:
        TrainPanels<kFeedback, 2>(job, constants, run, magnitudes, tally);
        break;
      default:
        TrainPanels<kFeedback, 1>(job, constants, run, magnitudes, tally);
        break;
    }
    p += take;
  }
  TakeMagnitudes(known, magnitudes, tally);
}

void TrainLinesAvx512(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  if (!constants.small) {
    TrainLines<kPanel, SumLineAvx512, UpdateTowardZeroAvx512, UpdateLineAvx512<true>>(
        job, constants, tally);
  } else if (job.residuals == nullptr) {
    TrainSmall<false>(job, constants, tally);
  } else {
    TrainSmall<true>(job, constants, tally);
  }
}

}  // namespace

extern const RowTable kAvx512Rows;
const RowTable kAvx512Rows = {
    Level::kAvx512, ListPairsAvx512,        AddPairsAvx512,         PairRowsX86,
    SumLineAvx512,  UpdateTowardZeroAvx512, UpdateLineAvx512<true>, TrainLinesAvx512};

}  // namespace tally::kernels
