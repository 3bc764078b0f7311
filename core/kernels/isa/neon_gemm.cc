// NEON of ARMv7 and ARMv8: products of int8 as int16, added in pairs; products of int16 added by
// columns. Nothing saturates, and no sum of two products passes through 16 bits.

#include <arm_neon.h>

#include "core/kernels/isa/gemm_tile.h"
#include "core/kernels/isa/portable_gemm.h"
#include "core/kernels/isa/vector_packing.h"

namespace tally::kernels {
namespace {

// ARMv7 has half the registers: fewer rows, and int8 in halves of a panel.
#ifdef __aarch64__
constexpr bool kManyRegisters = true;
#else
constexpr bool kManyRegisters = false;
#endif

template <class Self, size_t kCount>
struct Common : StoresParts<Self, kCount> {
  using Vector = int32x4_t;
  static constexpr size_t kColumns = kCount;
  static constexpr size_t PanelsMax(size_t) { return 1; }

  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return vdupq_n_s32(0); }
};

template <bool kAdd>
TALLY_INLINE void StoreFour(int32x4_t vector, int32_t* sums) {
  vst1q_s32(sums, kAdd ? vaddq_s32(vector, vld1q_s32(sums)) : vector);
}

// A Vector is two columns, each with the sums of elements 0 and 1 and of elements 2 and 3.
template <size_t kCount>
struct Int8 : Common<Int8<kCount>, kCount> {
  using Vector = int32x4_t;
  using Weights = int8x8_t;
  using Left = int8x8_t;
  static constexpr size_t kVectors = kCount / 2;
  static constexpr size_t kSteps = 1;
  static constexpr size_t kRowsMax = 2;

  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t v) {
    return vld1_s8(reinterpret_cast<const int8_t*>(line) + 8 * v);
  }
  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return vreinterpret_s8_s32(vdup_n_s32(*reinterpret_cast<const Word*>(word)));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    return vpadalq_s16(sum, vmull_s8(weights, left));
  }
  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vectors, int32_t* sums) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; v += 2) {
      const int32x2_t first = vpadd_s32(vget_low_s32(vectors[v]), vget_high_s32(vectors[v]));
      const int32x2_t second =
          vpadd_s32(vget_low_s32(vectors[v + 1]), vget_high_s32(vectors[v + 1]));
      StoreFour<kAdd>(vcombine_s32(first, second), sums + 2 * v);
    }
  }
};

// A Vector is four columns; one element of the pair a step.
struct Int16 : Common<Int16, kTileColumns> {
  using Weights = int16x4_t;
  using Left = int16x4_t;
  static constexpr size_t kVectors = 4;
  static constexpr size_t kSteps = 2;
  static constexpr size_t kRowsMax = kManyRegisters ? 5 : 3;

  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t v) {
    const int32x4_t pairs = vld1q_s32(reinterpret_cast<const int32_t*>(line) + 4 * v);
    return kStep == 0 ? vmovn_s32(pairs) : vshrn_n_s32(pairs, 16);
  }
  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return vdup_n_s16(*reinterpret_cast<const HalfWord*>(word));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    return vmlal_s16(sum, weights, left);
  }
  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vectors, int32_t* sums) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kVectors; ++v) StoreFour<kAdd>(vectors[v], sums + 4 * v);
  }
};

using Int8Part = Int8<kManyRegisters ? kTileColumns : kTileColumns / 2>;

template <class Machine>
constexpr TileKernel Kernel() {
  TileKernel kernel = MakeTileKernel<Machine>();
  kernel.run = RunTileInParts<Machine>;
  kernel.prepare = CopyRows;
  kernel.left_row_bytes = LeftWords::kHalfBytes;
  kernel.rows_best = Machine::kRowsMax;
  kernel.half_panel_rows_min = kTileRowsMax + 1;
  return kernel;
}

constexpr TileKernel Int8Kernel() {
  TileKernel kernel = Kernel<Int8Part>();
  kernel.pack = PackInt8;
  kernel.transpose = TransposeInt8;
  return kernel;
}

constexpr TileKernel Int16Kernel() {
  TileKernel kernel = Kernel<Int16>();
  kernel.pack = PackInt16;
  kernel.transpose = TransposeInt16;
  kernel.left_odd_bytes = sizeof(int16_t);
  kernel.panel_odd_bytes = sizeof(int16_t);
  return kernel;
}

}  // namespace

extern const GemmTable kNeonGemm;
const GemmTable kNeonGemm = {Level::kNeon, Int8Kernel(), Int16Kernel(), Widen};

}  // namespace tally::kernels
