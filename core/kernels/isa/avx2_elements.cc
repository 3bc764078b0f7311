// AVX2: the portable loops as the compiler vectorises them, and the two divisions.

#include <immintrin.h>

#include "core/kernels/isa/portable_elements.h"

namespace tally::kernels {
namespace {

// The high words of the products of eight lanes.
inline __m256i MultiplyHigh32(__m256i a, __m256i b) {
  const __m256i even = _mm256_mul_epu32(a, b);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
}

void FindEntriesAvx2(const int32_t* z, size_t count, TruncDivider32 divider, uint32_t* entries) {
  const __m256i multiplier = _mm256_set1_epi32(static_cast<int32_t>(divider.multiplier()));
  // As for slopes: the dividend is doubled, the shift 31 lower.
  const __m128i shift = _mm_cvtsi32_si128(divider.shift() - 31);
  const __m256i middle = _mm256_set1_epi32(128);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i sums = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(z + i));
    const __m256i magnitude = _mm256_abs_epi32(sums);
    const __m256i quotient =
        _mm256_srl_epi32(MultiplyHigh32(_mm256_slli_epi32(magnitude, 1), multiplier), shift);
    const __m256i cut = _mm256_min_epu32(quotient, middle);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(entries + i),
                        _mm256_add_epi32(_mm256_sign_epi32(cut, sums), middle));
  }
  FindEntries(z + i, count - i, divider, entries + i);
}

void DivideBySlopeCodesAvx2(const uint8_t* codes, size_t count, int32_t* d) {
  const __m256i multipliers =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kSlopeDividers.multiplier.data()));
  const __m256i shifts =
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kSlopeDividers.shift.data()));
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256i code =
        _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + i)));
    __m256i* place = reinterpret_cast<__m256i*>(d + i);
    const __m256i delta = _mm256_loadu_si256(place);
    const __m256i doubled = _mm256_slli_epi32(_mm256_abs_epi32(delta), 1);
    const __m256i high = MultiplyHigh32(doubled, _mm256_permutevar8x32_epi32(multipliers, code));
    const __m256i quotient = _mm256_srlv_epi32(high, _mm256_permutevar8x32_epi32(shifts, code));
    _mm256_storeu_si256(place, _mm256_sign_epi32(quotient, delta));
  }
  DivideBySlopeCodes(codes + i, count - i, d + i);
}

}  // namespace

extern const ElementTable kAvx2Elements;
const ElementTable kAvx2Elements = {Level::kAvx2,  MaxMagnitude16,  MaxMagnitude32,
                                    SumMagnitudes, FindEntriesAvx2, DivideBySlopeCodesAvx2};

}  // namespace tally::kernels
