// AVX-512 with VNNI: vpdpbusd sums four products of int8 a lane, vpdpwssd two of int16.

#include <immintrin.h>

#include "core/kernels/isa/gemm_tile.h"
#include "core/kernels/isa/portable_gemm.h"
#include "core/kernels/isa/vector_packing.h"

namespace tally::kernels {
namespace {

// Sums, the weights of a line or the words of a column of rows, and the sign mask share 32
// registers.
constexpr uint8_t kPanelsMax[kTileRowsMax + 1] = {0, 8, 8, 8, 6, 4, 4, 3, 3,
                                                  2, 2, 2, 2, 2, 2, 1, 1};

struct Full {
  using Vector = __m512i;
  using Weights = __m512i;
  using Left = __m512i;
  static constexpr size_t kVectors = 1;
  static constexpr size_t kSteps = 1;
  static constexpr size_t kRowsMax = kTileRowsMax;
  static constexpr size_t PanelsMax(size_t rows) { return kPanelsMax[rows]; }

  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return _mm512_set1_epi32(*reinterpret_cast<const Word*>(word));
  }

  template <bool kAdd>
  TALLY_INLINE static void Store(const Vector* vector, int32_t* sums) {
    _mm512_storeu_si512(sums, kAdd ? _mm512_add_epi32(*vector, _mm512_loadu_si512(sums)) : *vector);
  }

  template <bool kAdd>
  TALLY_INLINE static void StorePart(const Vector* vector, int32_t* sums, size_t columns) {
    const __mmask16 mask = static_cast<__mmask16>((1u << columns) - 1);
    const Vector sum =
        kAdd ? _mm512_add_epi32(*vector, _mm512_maskz_loadu_epi32(mask, sums)) : *vector;
    _mm512_mask_storeu_epi32(sums, mask, sum);
  }
};

// 256 bits, of which there can be twice as many a cycle.
struct Half {
  using Vector = __m256i;
  using Weights = __m256i;
  using Left = __m256i;
  static constexpr size_t kVectors = 1;
  static constexpr size_t kSteps = 1;
  static constexpr size_t kRowsMax = kTileRowsMax;
  static constexpr size_t PanelsMax(size_t) { return 1; }

  TALLY_INLINE static Left LoadLeft(const std::byte* word) {
    return _mm256_set1_epi32(*reinterpret_cast<const Word*>(word));
  }

  template <bool kAdd>
  TALLY_INLINE static void StorePart(const Vector* vector, int32_t* sums, size_t columns) {
    const __mmask8 mask = static_cast<__mmask8>((1u << columns) - 1);
    const Vector sum =
        kAdd ? _mm256_add_epi32(*vector, _mm256_maskz_loadu_epi32(mask, sums)) : *vector;
    _mm256_mask_storeu_epi32(sums, mask, sum);
  }
};

// The multiplications are written in assembler because GCC 12 copies the sums of the intrinsics in
// and out of other registers, and to the stack, around each turn of the loop.
//
// vpdpbusd takes one operand as unsigned. Weights with their sign bit flipped are w + 128, so that
// each sum is too large by 128 times the sum of its row: it begins at minus that.
struct Int8Full : Full {
  TALLY_INLINE static Vector Start(const int32_t* starts, size_t row) {
    return _mm512_set1_epi32(starts[row]);
  }
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t) {
    return _mm512_xor_si512(_mm512_load_si512(line), _mm512_set1_epi8(-128));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(left));
    return sum;
  }
};

struct Int8Half : Half {
  TALLY_INLINE static Vector Start(const int32_t* starts, size_t row) {
    return _mm256_set1_epi32(starts[row]);
  }
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t) {
    return _mm256_xor_si256(*reinterpret_cast<const __m256i*>(line), _mm256_set1_epi8(-128));
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(left));
    return sum;
  }
};

struct Int16Full : Full {
  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return _mm512_setzero_si512(); }
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t) {
    return _mm512_load_si512(line);
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(left));
    return sum;
  }
};

struct Int16Half : Half {
  TALLY_INLINE static Vector Start(const int32_t*, size_t) { return _mm256_setzero_si256(); }
  template <size_t kStep>
  TALLY_INLINE static Weights LoadWeights(const std::byte* line, size_t) {
    return *reinterpret_cast<const __m256i*>(line);
  }
  TALLY_INLINE static Vector MultiplyAdd(Vector sum, Weights weights, Left left) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(left));
    return sum;
  }
};

// Copies a row of words and returns the sum of its int8 elements if kSum. In halves of a register,
// which fit the alignment of the copy.
template <bool kSum>
TALLY_INLINE int32_t CopyRow(const std::byte* from, size_t bytes, std::byte* to) {
  const __m256i ones = _mm256_set1_epi8(1);
  __m256i sums = _mm256_setzero_si256();
  __m256i more = _mm256_setzero_si256();
  size_t i = 0;
  for (; i + 64 <= bytes; i += 64) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i + 32));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + i), first);
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + i + 32), second);
    if (kSum) sums = _mm256_dpbusd_epi32(sums, ones, first);
    if (kSum) more = _mm256_dpbusd_epi32(more, ones, second);
  }
  const __m512i rest = _mm512_maskz_loadu_epi8((uint64_t{1} << (bytes - i)) - 1, from + i);
  _mm512_storeu_si512(to + i, rest);
  if (!kSum) return 0;
  __m512i all = _mm512_zextsi256_si512(_mm256_add_epi32(sums, more));
  all = _mm512_dpbusd_epi32(all, _mm512_set1_epi8(1), rest);
  return _mm512_reduce_add_epi32(all);
}

template <bool kStarts>
void Prepare(const PlainRows& rows, LeftWords& left) {
  for (size_t r = 0; r < rows.rows; ++r) {
    left.starts[r] = -128 * CopyRow<kStarts>(rows.first + r * rows.stride_bytes, rows.bytes,
                                             left.words + r * LeftWords::kHalfBytes);
  }
}

// The same for the 16 columns of a panel.
void AddStarts(size_t lines, const std::byte* words, int32_t* starts) {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i sums = _mm512_setzero_si512();
  for (size_t l = 0; l < lines; ++l) {
    sums = _mm512_dpbusd_epi32(sums, ones, _mm512_loadu_si512(words + l * kTileLineBytes));
  }
  _mm512_storeu_si512(
      starts, _mm512_sub_epi32(_mm512_loadu_si512(starts), _mm512_slli_epi32(sums, 7)));
}

// TransposeInt8 with each line of the result put together by the loads.
void TransposeWide(const TransposeTask& task, std::byte* lines) {
  if (task.count < 4) {
    TransposeInt8(task, lines);
    return;
  }
  const __m512i order =
      _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
  for (size_t p = 0; p < task.panels; ++p) {
    const std::byte* line = task.lines + p * task.panel_bytes;
    for (size_t b = 0; b < 4; ++b) {
      const __m128i* from = reinterpret_cast<const __m128i*>(line + 16 * b);
      constexpr size_t kNext = kTileLineBytes / sizeof(__m128i);
      __m512i lanes = _mm512_broadcast_i32x4(from[0]);
      lanes = _mm512_mask_broadcast_i32x4(lanes, 0x00f0, from[kNext]);
      lanes = _mm512_mask_broadcast_i32x4(lanes, 0x0f00, from[2 * kNext]);
      lanes = _mm512_mask_broadcast_i32x4(lanes, 0xf000, from[3 * kNext]);
      _mm512_store_si512(lines, _mm512_shuffle_epi8(lanes, order));
      lines += kTileLineBytes;
    }
  }
}

template <class Machine, class HalfMachine>
constexpr TileKernel Kernel() {
  TileKernel kernel = MakeTileKernel<Machine>();
  kernel.run = RunTileOrHalf<Machine, HalfMachine>;
  kernel.left_row_bytes = LeftWords::kHalfBytes;
  kernel.rows_best = 14;
  // The latency of four cycles wants eight sums at a time.
  kernel.half_panel_rows_min = 7;
  return kernel;
}

constexpr TileKernel Int8Kernel() {
  TileKernel kernel = Kernel<Int8Full, Int8Half>();
  kernel.prepare = Prepare<true>;
  kernel.add_starts = AddStarts;
  kernel.pack = PackInt8;
  kernel.transpose = TransposeWide;
  return kernel;
}

constexpr TileKernel Int16Kernel() {
  TileKernel kernel = Kernel<Int16Full, Int16Half>();
  kernel.prepare = Prepare<false>;
  kernel.pack = PackInt16;
  kernel.transpose = TransposeInt16;
  return kernel;
}

}  // namespace

extern const GemmTable kAvx512Gemm;
const GemmTable kAvx512Gemm = {Level::kAvx512, Int8Kernel(), Int16Kernel(), Widen};

}  // namespace tally::kernels
