// SSE2, which every x86-64 has: pmaddwd sums two products of int16 a lane; int8 are widened on
// their way to it.

#include <emmintrin.h>

#include "core/kernels/isa/gemm_tile.h"
#include "core/kernels/isa/portable_gemm.h"
#include "core/kernels/isa/vector_packing.h"

namespace tally::kernels {
namespace {

template <class Self, size_t kCount>
struct Common : StoresParts<Self, 4 * kCount> {
  using Vector = __m128i;
  using Weights = __m128i;
  using Left = __m128i;
  static constexpr size_t kVectors = kCount;
  static constexpr size_t kRowsMax = 2;
  // Eight sums; with twelve, and a copy of the weights for each product, some would be on the
  // stack.
  static constexpr size_t PanelsMax(size_t rows) { return rows == 1 ? 2 : 1; }

  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return _mm_setzero_si128(); }
  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return _mm_set1_epi32(*reinterpret_cast<const Word*>(word));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    Vector products = weights;
    asm("pmaddwd %2, %1\n\tpaddd %1, %0" : "+x"(sum), "+x"(products) : "x"(left));
    return sum;
  }
  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vectors, int32_t* sums) {
    __m128i* to = reinterpret_cast<__m128i*>(sums);
#pragma GCC unroll 4
    for (size_t v = 0; v < kCount; ++v) {
      _mm_storeu_si128(to + v,
                       kAdd ? _mm_add_epi32(vectors[v], _mm_loadu_si128(to + v)) : vectors[v]);
    }
  }
};

template <size_t kCount>
struct Int16 : Common<Int16<kCount>, kCount> {
  static constexpr size_t kSteps = 1;
  template <size_t kStep>
  TALLY_INLINE static __m128i LoadWeights(const std::byte* line, size_t v) {
    return _mm_load_si128(reinterpret_cast<const __m128i*>(line) + v);
  }
};

// Elements 0 and 2 of four in the first step, 1 and 3 in the second.
template <size_t kCount>
struct Int8 : Common<Int8<kCount>, kCount> {
  static constexpr size_t kSteps = 2;
  template <size_t kStep>
  TALLY_INLINE static __m128i LoadWeights(const std::byte* line, size_t v) {
    const __m128i four = _mm_load_si128(reinterpret_cast<const __m128i*>(line) + v);
    return _mm_srai_epi16(kStep == 0 ? _mm_slli_epi16(four, 8) : four, 8);
  }
};

template <template <size_t> class Machine>
constexpr TileKernel Kernel() {
  TileKernel kernel = MakeTileKernel<Machine<4>>();
  kernel.run = RunTileOrHalf<Machine<4>, Machine<2>>;
  kernel.rows_best = 2;
  kernel.half_panel_rows_min = 2;
  return kernel;
}

constexpr TileKernel Int16Kernel() {
  TileKernel kernel = Kernel<Int16>();
  kernel.prepare = CopyRows;
  kernel.pack = PackInt16;
  kernel.transpose = TransposeInt16;
  kernel.left_row_bytes = LeftWords::kHalfBytes;
  return kernel;
}

constexpr TileKernel Int8Kernel() {
  TileKernel kernel = Kernel<Int8>();
  kernel.prepare = SplitRows;
  kernel.split_lines = SplitLines;
  kernel.pack = PackInt8;
  kernel.transpose = TransposeInt8;
  kernel.left_row_bytes = LeftWords::kRowBytes;
  kernel.left_odd_bytes = LeftWords::kHalfBytes;
  kernel.panel_odd_bytes = LeftWords::kPanelHalfBytes;
  return kernel;
}

}  // namespace

extern const GemmTable kSse2Gemm;
const GemmTable kSse2Gemm = {Level::kSse2, Int8Kernel(), Int16Kernel(), Widen};

}  // namespace tally::kernels
