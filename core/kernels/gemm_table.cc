#include "core/kernels/gemm_table.h"

#include "core/arithmetic/check.h"

namespace tally::kernels {

extern const GemmTable kScalarGemm;
#ifdef TALLY_HAS_SIMD32
extern const GemmTable kSimd32Gemm;
#endif
#ifdef TALLY_HAS_NEON
extern const GemmTable kNeonGemm;
#endif
#ifdef TALLY_HAS_DOTPROD
extern const TileKernel kDotProductInt8;
#endif
#ifdef TALLY_HAS_SSE2
extern const GemmTable kSse2Gemm;
#endif
#ifdef TALLY_HAS_AVX2
extern const GemmTable kAvx2Gemm;
#endif
#ifdef TALLY_HAS_AVX512
extern const GemmTable kAvx512Gemm;
#endif

#ifdef TALLY_HAS_DOTPROD
namespace {

// Dot products are of int8 only.
const GemmTable& DotProductGemm() {
  static const GemmTable table = {Level::kDotProduct, kDotProductInt8, kNeonGemm.int16,
                                  kNeonGemm.widen};
  return table;
}

}  // namespace
#endif

const GemmTable& GemmOf(Level level) {
  switch (level) {
    case Level::kScalar:
      return kScalarGemm;
#ifdef TALLY_HAS_SIMD32
    case Level::kSimd32:
      return kSimd32Gemm;
#endif
#ifdef TALLY_HAS_NEON
    case Level::kNeon:
      return kNeonGemm;
#endif
#ifdef TALLY_HAS_DOTPROD
    case Level::kDotProduct:
      return DotProductGemm();
#endif
#ifdef TALLY_HAS_SSE2
    case Level::kSse2:
      return kSse2Gemm;
#endif
#ifdef TALLY_HAS_AVX2
    case Level::kAvx2:
      return kAvx2Gemm;
#endif
#ifdef TALLY_HAS_AVX512
    case Level::kAvx512:
      return kAvx512Gemm;
#endif
    default:
      TALLY_CHECK(false);
  }
}

const GemmTable& ActiveGemm() { return GemmOf(ActiveLevel()); }

}  // namespace tally::kernels
