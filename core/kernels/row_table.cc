#include "core/kernels/row_table.h"

#include "core/arithmetic/check.h"
#include "core/arithmetic/division.h"

namespace tally::kernels {

extern const RowTable kScalarRows;
#ifdef TALLY_HAS_SIMD32
extern const RowTable kSimd32Rows;
#endif
#ifdef TALLY_HAS_NEON
extern const RowTable kNeonRows;
#endif
#ifdef TALLY_HAS_SSE2
extern const RowTable kSse2Rows;
#endif
#ifdef TALLY_HAS_AVX2
extern const RowTable kAvx2Rows;
#endif
#ifdef TALLY_HAS_AVX512
extern const RowTable kAvx512Rows;
#endif

UpdateConstants::UpdateConstants(int32_t inverse_rate, int32_t weight_limit, uint64_t total_max)
    : multiplier(TruncDivider32(inverse_rate).multiplier()),
      shift(static_cast<uint32_t>(TruncDivider32(inverse_rate).shift())),
      inverse(inverse_rate),
      limit(weight_limit) {
  TALLY_CHECK(total_max < uint64_t{1} << 31);
  const uint64_t divisor = static_cast<uint64_t>(inverse_rate);
  // Below 4 the shift would be negative.
  small = divisor >= 4 && total_max < uint64_t{1} << 30 && total_max / divisor <= 32767;
  if (!small) return;
  const int32_t log = CeilLog2(divisor);
  small_multiplier = static_cast<int32_t>((uint64_t{1} << (30 + log)) / divisor + 1);
  small_shift = log - 2;
}

const RowTable& RowsOf(Level level) {
  switch (level) {
    case Level::kScalar:
      return kScalarRows;
#ifdef TALLY_HAS_SIMD32
    case Level::kSimd32:
      return kSimd32Rows;
#endif
#ifdef TALLY_HAS_NEON
    // Rows are of 16-bit elements, for which the dot-product level adds nothing.
    case Level::kNeon:
    case Level::kDotProduct:
      return kNeonRows;
#endif
#ifdef TALLY_HAS_SSE2
    case Level::kSse2:
      return kSse2Rows;
#endif
#ifdef TALLY_HAS_AVX2
    case Level::kAvx2:
      return kAvx2Rows;
#endif
#ifdef TALLY_HAS_AVX512
    case Level::kAvx512:
      return kAvx512Rows;
#endif
    default:
      TALLY_CHECK(false);
  }
}

const RowTable& Rows() { return RowsOf(ActiveLevel()); }

}  // namespace tally::kernels
