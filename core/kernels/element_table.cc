#include "core/kernels/element_table.h"

#include "core/arithmetic/check.h"

namespace tally::kernels {

extern const ElementTable kScalarElements;
#ifdef TALLY_HAS_NEON
extern const ElementTable kNeonElements;
#endif
#ifdef TALLY_HAS_AVX2
extern const ElementTable kAvx2Elements;
#endif
#ifdef TALLY_HAS_AVX512
extern const ElementTable kAvx512Elements;
#endif

const ElementTable& ElementsOf(Level level) {
  switch (level) {
    // What the compiler makes of the portable loops is all that these machines have.
    case Level::kScalar:
    case Level::kSimd32:
    case Level::kSse2:
      return kScalarElements;
#ifdef TALLY_HAS_NEON
    case Level::kNeon:
    case Level::kDotProduct:
      return kNeonElements;
#endif
#ifdef TALLY_HAS_AVX2
    case Level::kAvx2:
      return kAvx2Elements;
#endif
#ifdef TALLY_HAS_AVX512
    case Level::kAvx512:
      return kAvx512Elements;
#endif
    default:
      TALLY_CHECK(false);
  }
}

const ElementTable& Elements() { return ElementsOf(ActiveLevel()); }

}  // namespace tally::kernels
