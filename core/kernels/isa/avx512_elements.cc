// AVX-512: the portable loops as the compiler vectorises them, and the two divisions.

#include <immintrin.h>

#include "core/kernels/isa/portable_elements.h"

namespace tally::kernels {
namespace {

constexpr size_t kLanes = 16;

// The high words of the products of sixteen lanes.
inline __m512i MultiplyHigh32(__m512i a, __m512i b) {
  const __m512i even = _mm512_mul_epu32(a, b);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
  return _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
}

inline __m512i WithSignOf(__m512i signs, __m512i magnitudes) {
  const __m512i zero = _mm512_setzero_si512();
  return _mm512_mask_sub_epi32(magnitudes, _mm512_cmplt_epi32_mask(signs, zero), zero, magnitudes);
}

inline __mmask16 FirstLanes(size_t count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xffffu : (1u << count) - 1);
}

void FindEntriesAvx512(const int32_t* z, size_t count, TruncDivider32 divider, uint32_t* entries) {
  const __m512i multiplier = _mm512_set1_epi32(static_cast<int32_t>(divider.multiplier()));
  // As for slopes: the dividend is doubled, the shift 31 lower.
  const __m128i shift = _mm_cvtsi32_si128(divider.shift() - 31);
  const __m512i middle = _mm512_set1_epi32(128);
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 valid = FirstLanes(count - i);
    const __m512i sums = _mm512_maskz_loadu_epi32(valid, z + i);
    const __m512i doubled = _mm512_slli_epi32(_mm512_abs_epi32(sums), 1);
    const __m512i quotient = _mm512_srl_epi32(MultiplyHigh32(doubled, multiplier), shift);
    const __m512i cut = _mm512_min_epu32(quotient, middle);
    _mm512_mask_storeu_epi32(entries + i, valid, _mm512_add_epi32(WithSignOf(sums, cut), middle));
  }
}

void DivideBySlopeCodesAvx512(const uint8_t* codes, size_t count, int32_t* d) {
  const __m512i multipliers = _mm512_castsi256_si512(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kSlopeDividers.multiplier.data())));
  const __m512i shifts = _mm512_castsi256_si512(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kSlopeDividers.shift.data())));
  for (size_t i = 0; i < count; i += kLanes) {
    const __mmask16 valid = FirstLanes(count - i);
    const __m512i code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(valid, codes + i));
    const __m512i delta = _mm512_maskz_loadu_epi32(valid, d + i);
    const __m512i doubled = _mm512_slli_epi32(_mm512_abs_epi32(delta), 1);
    const __m512i high = MultiplyHigh32(doubled, _mm512_permutexvar_epi32(code, multipliers));
    const __m512i quotient = _mm512_srlv_epi32(high, _mm512_permutexvar_epi32(code, shifts));
    _mm512_mask_storeu_epi32(d + i, valid, WithSignOf(delta, quotient));
  }
}

}  // namespace

extern const ElementTable kAvx512Elements;
const ElementTable kAvx512Elements = {Level::kAvx512, MaxMagnitude16,    MaxMagnitude32,
                                      SumMagnitudes,  FindEntriesAvx512, DivideBySlopeCodesAvx512};

}  // namespace tally::kernels
