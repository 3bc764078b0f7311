#include "core/kernels/row_table.h"

#include "core/arithmetic/check.h"

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
