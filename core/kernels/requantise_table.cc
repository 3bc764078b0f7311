#include "core/kernels/requantise_table.h"

namespace tally::kernels {

extern const RequantiseTable kScalarRequantise;
#ifdef TALLY_HAS_NEON
extern const RequantiseTable kNeonRequantise;
#endif
#ifdef TALLY_HAS_SSE2
extern const RequantiseTable kSse2Requantise;
#endif
#ifdef TALLY_HAS_AVX2
extern const RequantiseTable kAvx2Requantise;
#endif
#ifdef TALLY_HAS_AVX512
extern const RequantiseTable kAvx512Requantise;
#endif

const RequantiseTable& RequantiseOf(Level level) {
  switch (level) {
#ifdef TALLY_HAS_NEON
    case Level::kNeon:
    case Level::kDotProduct:
      return kNeonRequantise;
#endif
#ifdef TALLY_HAS_SSE2
    case Level::kSse2:
      return kSse2Requantise;
#endif
#ifdef TALLY_HAS_AVX2
    case Level::kAvx2:
      return kAvx2Requantise;
#endif
#ifdef TALLY_HAS_AVX512
    case Level::kAvx512:
      return kAvx512Requantise;
#endif
    default:
      // Registers of 32 bits have nothing to add.
      return kScalarRequantise;
  }
}

}  // namespace tally::kernels
