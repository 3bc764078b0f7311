// ARMv6: two products of 16-bit halves and their sum are one smlad.

#include <arm_acle.h>

#include "core/kernels/isa/gemm_tile.h"
#include "core/kernels/isa/portable_gemm.h"

namespace tally::kernels {
namespace {

template <class Self, size_t kCount>
struct Common : StoresParts<Self, kCount> {
  using Vector = int32_t;
  using Weights = int16x2_t;
  using Left = int16x2_t;
  static constexpr size_t kColumns = kCount;
  static constexpr size_t kVectors = kColumns;
  static constexpr size_t kRowsMax = 2;
  static constexpr size_t PanelsMax(size_t) { return 1; }

  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return 0; }
  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return *reinterpret_cast<const Word*>(word);
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    return __smlad(weights, left, sum);
  }
  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vectors, int32_t* sums) {
#pragma GCC unroll 4
    for (size_t v = 0; v < kColumns; ++v) sums[v] = (kAdd ? sums[v] : 0) + vectors[v];
  }
};

// Eight sums beside weights, words and pointers.
struct Int16 : Common<Int16, 4> {
  static constexpr size_t kSteps = 1;
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t v) {
    return reinterpret_cast<const Word*>(line)[v];
  }
};

// Elements 0 and 2 of four in the first step, 1 and 3 in the second. The halves of the weights take
// registers, so that fewer sums fit.
struct Int8 : Common<Int8, 2> {
  static constexpr size_t kSteps = 2;
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t v) {
    const int8x4_t four = reinterpret_cast<const Word*>(line)[v];
    if constexpr (kStep == 0) return __sxtb16(four);
    // The rotation is part of the instruction, which GCC does not know.
    int16x2_t odd;
    asm("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(four));
    return odd;
  }
};

template <class Machine>
constexpr TileKernel Kernel() {
  TileKernel kernel = MakeTileKernel<Machine>();
  kernel.run = RunTileInParts<Machine>;
  kernel.rows_best = 2;
  kernel.half_panel_rows_min = kTileRowsMax + 1;
  return kernel;
}

constexpr TileKernel Int16Kernel() {
  TileKernel kernel = Kernel<Int16>();
  kernel.prepare = CopyRows;
  kernel.pack = Pack<int16_t>;
  kernel.transpose = Transpose<int16_t>;
  kernel.left_row_bytes = LeftWords::kHalfBytes;
  return kernel;
}

constexpr TileKernel Int8Kernel() {
  TileKernel kernel = Kernel<Int8>();
  kernel.prepare = SplitRows;
  kernel.split_lines = SplitLines;
  kernel.pack = Pack<int8_t>;
  kernel.transpose = Transpose<int8_t>;
  kernel.left_row_bytes = LeftWords::kRowBytes;
  kernel.left_odd_bytes = LeftWords::kHalfBytes;
  kernel.panel_odd_bytes = LeftWords::kPanelHalfBytes;
  return kernel;
}

}  // namespace

extern const GemmTable kSimd32Gemm;
const GemmTable kSimd32Gemm = {Level::kSimd32, Int8Kernel(), Int16Kernel(), Widen};

}  // namespace tally::kernels
