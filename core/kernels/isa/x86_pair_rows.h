// pair_rows for x86: SSE2 shuffles, compiled with each level's own encoding.

#ifndef TALLY_CORE_KERNELS_ISA_X86_PAIR_ROWS_H_
#define TALLY_CORE_KERNELS_ISA_X86_PAIR_ROWS_H_

#include <emmintrin.h>

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {
namespace {  // NOLINT: included once a unit

inline __m128i LoadEight(const int16_t* from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// Four rows of eight inputs: the four values of an input are eight bytes of the result.
inline void PairFourRows(const int16_t* x, size_t stride, size_t places, int16_t* pairs) {
  const __m128i a = LoadEight(x);
  const __m128i b = LoadEight(x + stride);
  const __m128i c = LoadEight(x + 2 * stride);
  const __m128i d = LoadEight(x + 3 * stride);
  const __m128i ab[2] = {_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b)};
  const __m128i cd[2] = {_mm_unpacklo_epi16(c, d), _mm_unpackhi_epi16(c, d)};
  for (size_t i = 0; i < 2; ++i) {
    const __m128i two[2] = {_mm_unpacklo_epi32(ab[i], cd[i]), _mm_unpackhi_epi32(ab[i], cd[i])};
    for (size_t j = 0; j < 2; ++j) {
      int16_t* place = pairs + (4 * i + 2 * j) * places;
      _mm_storel_epi64(reinterpret_cast<__m128i*>(place), two[j]);
      _mm_storel_epi64(reinterpret_cast<__m128i*>(place + places), _mm_srli_si128(two[j], 8));
    }
  }
}

// One row: each value beside a zero.
inline void PairOneRow(const int16_t* x, size_t inputs, int16_t* pairs, int16_t* any) {
  size_t k = 0;
  for (; k + 8 <= inputs; k += 8) {
    const __m128i values = LoadEight(x + k);
    __m128i* place = reinterpret_cast<__m128i*>(pairs + 2 * k);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(any + k), values);
    _mm_storeu_si128(place, _mm_unpacklo_epi16(values, _mm_setzero_si128()));
    _mm_storeu_si128(place + 1, _mm_unpackhi_epi16(values, _mm_setzero_si128()));
  }
  for (; k < inputs; ++k) {
    any[k] = pairs[2 * k] = x[k];
    pairs[2 * k + 1] = 0;
  }
}

void PairRowsX86(const int16_t* x, size_t rows, size_t stride, size_t inputs, int16_t* pairs,
                 int16_t* any) {
  if (rows == 1) return PairOneRow(x, inputs, pairs, any);
  const size_t places = (rows + 1) / 2 * 2;
  const size_t whole_rows = rows / 4 * 4;
  const size_t whole_inputs = inputs / 8 * 8;
  for (size_t k = 0; k < whole_inputs; k += 8) {
    for (size_t r = 0; r < whole_rows; r += 4) {
      PairFourRows(x + r * stride + k, stride, places, pairs + k * places + r);
    }
    __m128i found = LoadEight(x + k);
    for (size_t r = 1; r < rows; ++r) found = _mm_or_si128(found, LoadEight(x + r * stride + k));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(any + k), found);
  }
  for (size_t k = 0; k < inputs; ++k) {
    for (size_t r = k < whole_inputs ? whole_rows : 0; r < places; ++r) {
      pairs[k * places + r] = r < rows ? x[r * stride + k] : int16_t{0};
    }
  }
  for (size_t k = whole_inputs; k < inputs; ++k) {
    any[k] = 0;
    for (size_t r = 0; r < rows; ++r) any[k] = static_cast<int16_t>(any[k] | x[r * stride + k]);
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_X86_PAIR_ROWS_H_
