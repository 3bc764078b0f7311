#include "core/kernels/minimal_table.h"

#include "core/kernels/isa/portable_minimal.h"

namespace tally::kernels {

#ifdef TALLY_HAS_NEON
extern const MinimalTable kNeonMinimal;
#endif
#ifdef TALLY_HAS_SSE2
extern const MinimalTable kSse2Minimal;
#endif
#ifdef TALLY_HAS_AVX2
extern const MinimalTable kAvx2Minimal;
#endif

const MinimalTable& MinimalOf(Level level) {
  // Levels that sum four products of int8 a lane have half as many of int16, which eats the gain
  // up.
  static constexpr MinimalTable kPlain = {Level::kScalar, true, TransformPixels, TransformTaps,
                                          TransformSums};
  static constexpr MinimalTable kOfFour = {Level::kScalar, false, TransformPixels, TransformTaps,
                                           TransformSums};
  switch (level) {
#ifdef TALLY_HAS_NEON
    case Level::kNeon:
      return kNeonMinimal;
#endif
#ifdef TALLY_HAS_SSE2
    case Level::kSse2:
      return kSse2Minimal;
#endif
#ifdef TALLY_HAS_AVX2
    case Level::kAvx2:
      return kAvx2Minimal;
#endif
    case Level::kDotProduct:
    case Level::kAvx512:
      return kOfFour;
    default:
      return kPlain;
  }
}

}  // namespace tally::kernels
