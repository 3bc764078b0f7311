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

}  // namespace

extern const RowTable kSse2Rows;
const RowTable kSse2Rows = {
    Level::kSse2,       ListPairs,
    AddPairsSse2,       PairRowsX86,
    SumLineSse2,        UpdateTowardZero,
    UpdateWithFeedback, TrainLines<8, SumLineSse2, UpdateTowardZero, UpdateWithFeedback>};

}  // namespace tally::kernels
