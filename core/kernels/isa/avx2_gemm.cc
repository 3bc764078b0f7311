// AVX2: vpmaddwd sums two products of int16 a lane; int8 are widened on their way to it.

#include <immintrin.h>

#include "core/kernels/isa/gemm_tile.h"
#include "core/kernels/isa/portable_gemm.h"
#include "core/kernels/isa/vector_packing.h"

namespace tally::kernels {
namespace {

template <class Self, size_t kCount>
struct Common : StoresParts<Self, 8 * kCount> {
  using Vector = __m256i;
  using Weights = __m256i;
  using Left = __m256i;
  static constexpr size_t kVectors = kCount;
  static constexpr size_t kRowsMax = 6;
  // Twelve sums, the weights of a line, a word and a product share 16 registers.
  static constexpr size_t PanelsMax(size_t rows) { return rows == 1 ? 6 : rows == 2 ? 2 : 1; }

  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return _mm256_setzero_si256(); }
  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return _mm256_set1_epi32(*reinterpret_cast<const Word*>(word));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    Vector products;
    asm("vpmaddwd %2, %3, %1\n\tvpaddd %1, %0, %0"
        : "+x"(sum), "=&x"(products)
        : "x"(weights), "x"(left));
    return sum;
  }
  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vectors, int32_t* sums) {
    __m256i* to = reinterpret_cast<__m256i*>(sums);
#pragma GCC unroll 2
    for (size_t v = 0; v < kCount; ++v) {
      _mm256_storeu_si256(
          to + v, kAdd ? _mm256_add_epi32(vectors[v], _mm256_loadu_si256(to + v)) : vectors[v]);
    }
  }
};

template <size_t kCount>
struct Int16 : Common<Int16<kCount>, kCount> {
  static constexpr size_t kSteps = 1;
  template <size_t kStep>
  TALLY_INLINE static __m256i LoadWeights(const std::byte* line, size_t v) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(line) + v);
  }
};

// Elements 0 and 2 of four in the first step, 1 and 3 in the second.
template <size_t kCount>
struct Int8 : Common<Int8<kCount>, kCount> {
  static constexpr size_t kSteps = 2;
  template <size_t kStep>
  TALLY_INLINE static __m256i LoadWeights(const std::byte* line, size_t v) {
    const __m256i four = _mm256_load_si256(reinterpret_cast<const __m256i*>(line) + v);
    return _mm256_srai_epi16(kStep == 0 ? _mm256_slli_epi16(four, 8) : four, 8);
  }
};

template <template <size_t> class Machine>
constexpr TileKernel Kernel() {
  TileKernel kernel = MakeTileKernel<Machine<2>>();
  kernel.run = RunTileOrHalf<Machine<2>, Machine<1>>;
  kernel.rows_best = 6;
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

extern const GemmTable kAvx2Gemm;
const GemmTable kAvx2Gemm = {Level::kAvx2, Int8Kernel(), Int16Kernel(), Widen};

}  // namespace tally::kernels
