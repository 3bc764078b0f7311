// ARMv8.2 with dot products: sdot sums four products of int8 a lane. It has nothing for int16, of
// which NEON's version is used.

#include <arm_neon.h>

#include "core/kernels/isa/gemm_tile.h"
#include "core/kernels/isa/portable_gemm.h"
#include "core/kernels/isa/vector_packing.h"

namespace tally::kernels {
namespace {

struct Int8 : StoresParts<Int8, kTileColumns> {
  using Vector = int32x4_t;
  using Weights = int8x16_t;
  using Left = int8x16_t;
  static constexpr size_t kVectors = 4;
  static constexpr size_t kSteps = 1;
  // 24 sums, the four weights of a line and a word share 32 registers.
  static constexpr size_t kRowsMax = 6;
  static constexpr size_t PanelsMax(size_t) { return 1; }

  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return vdupq_n_s32(0); }
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t v) {
    return vld1q_s8(reinterpret_cast<const int8_t*>(line) + 16 * v);
  }
  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return vreinterpretq_s8_s32(vdupq_n_s32(*reinterpret_cast<const Word*>(word)));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    return vdotq_s32(sum, weights, left);
  }
  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vectors, int32_t* sums) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) {
      int32_t* to = sums + 4 * v;
      vst1q_s32(to, kAdd ? vaddq_s32(vectors[v], vld1q_s32(to)) : vectors[v]);
    }
  }
};

constexpr TileKernel Int8Kernel() {
  TileKernel kernel = MakeTileKernel<Int8>();
  kernel.run = RunTile<Int8>;
  kernel.prepare = CopyRows;
  kernel.pack = PackInt8;
  kernel.transpose = TransposeInt8;
  kernel.left_row_bytes = LeftWords::kHalfBytes;
  kernel.rows_best = Int8::kRowsMax;
  kernel.half_panel_rows_min = kTileRowsMax + 1;
  return kernel;
}

}  // namespace

extern const TileKernel kDotProductInt8;
const TileKernel kDotProductInt8 = Int8Kernel();

}  // namespace tally::kernels
