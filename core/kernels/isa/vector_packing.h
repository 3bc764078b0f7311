// Packing and transposing with registers of 16 bytes, which every machine with vectors has; the
// compiler finds its shuffles. Included once a unit, so that each level's compiler flags apply to
// it; hence the unnamed namespace.

#ifndef TALLY_CORE_KERNELS_ISA_VECTOR_PACKING_H_
#define TALLY_CORE_KERNELS_ISA_VECTOR_PACKING_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/gemm_table.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

using Bytes [[gnu::vector_size(16)]] = int8_t;
using Pairs [[gnu::vector_size(16)]] = int16_t;
using Quads [[gnu::vector_size(16)]] = int64_t;
using LooseBytes [[gnu::vector_size(16), gnu::aligned(1), gnu::may_alias]] = int8_t;

[[gnu::always_inline]] inline Bytes Load(const std::byte* from) {
  return *reinterpret_cast<const LooseBytes*>(from);
}
template <class Vector>
[[gnu::always_inline]] inline void Store(Vector vector, std::byte* to) {
  *reinterpret_cast<LooseBytes*>(to) = reinterpret_cast<Bytes>(vector);
}

[[gnu::always_inline]] inline Pairs ZipLowBytes(Bytes a, Bytes b) {
  return reinterpret_cast<Pairs>(
      __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
}
[[gnu::always_inline]] inline Pairs ZipHighBytes(Bytes a, Bytes b) {
  return reinterpret_cast<Pairs>(
      __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
}
[[gnu::always_inline]] inline Pairs ZipLow(Pairs a, Pairs b) {
  return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
[[gnu::always_inline]] inline Pairs ZipHigh(Pairs a, Pairs b) {
  return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// A line of int8 from 16 bytes of four rows.
[[gnu::always_inline]] inline void PackLineInt8(const std::byte* const (&rows)[4],
                                                std::byte* line) {
  const Pairs low01 = ZipLowBytes(Load(rows[0]), Load(rows[1]));
  const Pairs high01 = ZipHighBytes(Load(rows[0]), Load(rows[1]));
  const Pairs low23 = ZipLowBytes(Load(rows[2]), Load(rows[3]));
  const Pairs high23 = ZipHighBytes(Load(rows[2]), Load(rows[3]));
  Store(ZipLow(low01, low23), line);
  Store(ZipHigh(low01, low23), line + 16);
  Store(ZipLow(high01, high23), line + 32);
  Store(ZipHigh(high01, high23), line + 48);
}

// A line of int16 from 32 bytes of two rows.
[[gnu::always_inline]] inline void PackLineInt16(const std::byte* const (&rows)[2],
                                                 std::byte* line) {
  for (size_t p = 0; p < 2; ++p) {
    const Pairs first = reinterpret_cast<Pairs>(Load(rows[0] + 16 * p));
    const Pairs second = reinterpret_cast<Pairs>(Load(rows[1] + 16 * p));
    Store(ZipLow(first, second), line + 32 * p);
    Store(ZipHigh(first, second), line + 32 * p + 16);
  }
}

// Lines of kGroup rows of kBytes: those that are complete from where they lie, others from a copy
// filled up with zeros.
template <size_t kGroup, size_t kBytes, class PackLine>
[[gnu::always_inline]] inline void PackLines(const PlainRows& rows, std::byte* lines,
                                             const PackLine& pack_line) {
  const std::byte* group[kGroup];
  size_t row = 0;
  if (rows.bytes == kBytes) {
    for (; row + kGroup <= rows.rows; row += kGroup) {
      for (size_t r = 0; r < kGroup; ++r) group[r] = rows.first + (row + r) * rows.stride_bytes;
      pack_line(group, lines);
      lines += kTileLineBytes;
    }
  }
  for (; row < rows.rows; row += kGroup) {
    std::byte copy[kGroup * kBytes] = {};
    for (size_t r = 0; r < kGroup; ++r) {
      group[r] = copy + r * kBytes;
      if (row + r >= rows.rows) continue;
      __builtin_memcpy(copy + r * kBytes, rows.first + (row + r) * rows.stride_bytes, rows.bytes);
    }
    pack_line(group, lines);
    lines += kTileLineBytes;
  }
}

// Pack<int8_t> and Pack<int16_t> of portable_gemm.h.
[[maybe_unused]] void PackInt8(const PlainRows& rows, std::byte* lines) {
  PackLines<4, 16>(rows, lines, PackLineInt8);
}
[[maybe_unused]] void PackInt16(const PlainRows& rows, std::byte* lines) {
  PackLines<2, 32>(rows, lines, PackLineInt16);
}

// Four lanes of four bytes, transposed.
[[gnu::always_inline]] inline Bytes TransposeFour(Bytes lanes) {
#if defined(__x86_64__) && !defined(__SSSE3__)
  // SSE2 has no shuffle of bytes; two rounds of a perfect shuffle are the same.
  for (size_t round = 0; round < 2; ++round) {
    const Quads halves = reinterpret_cast<Quads>(lanes);
    const Bytes upper = reinterpret_cast<Bytes>(__builtin_shufflevector(halves, halves, 1, 1));
    lanes = reinterpret_cast<Bytes>(ZipLowBytes(lanes, upper));
  }
  return lanes;
#else
  return __builtin_shufflevector(lanes, lanes, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11,
                                 15);
#endif
}

// Transpose<int8_t> and Transpose<int16_t> of portable_gemm.h.
[[maybe_unused]] void TransposeInt8(const TransposeTask& task, std::byte* lines) {
  for (size_t p = 0; p < task.panels; ++p) {
    for (size_t l = 0; l < 4; ++l) {
      const std::byte* line = task.lines + p * task.panel_bytes + l * kTileLineBytes;
      for (size_t b = 0; b < 4; ++b) {
        const Bytes lanes = l < task.count ? Load(line + 16 * b) : Bytes{};
        Store(TransposeFour(lanes), lines + (4 * p + b) * kTileLineBytes + 16 * l);
      }
    }
  }
}

[[maybe_unused]] void TransposeInt16(const TransposeTask& task, std::byte* lines) {
  for (size_t p = 0; p < task.panels; ++p) {
    for (size_t l = 0; l < 8; l += 2) {
      const std::byte* line = task.lines + p * task.panel_bytes + l * kTileLineBytes;
      for (size_t b = 0; b < 4; ++b) {
        // Two columns of two lines with two rows each.
        Quads lanes[2] = {};
        for (size_t i = 0; i < 2 && l + i < task.count; ++i) {
          const Pairs pairs = reinterpret_cast<Pairs>(Load(line + i * kTileLineBytes + 16 * b));
          lanes[i] = reinterpret_cast<Quads>(
              __builtin_shufflevector(pairs, pairs, 0, 2, 1, 3, 4, 6, 5, 7));
        }
        std::byte* to = lines + (8 * p + 2 * b) * kTileLineBytes + 8 * l;
        Store(__builtin_shufflevector(lanes[0], lanes[1], 0, 2), to);
        Store(__builtin_shufflevector(lanes[0], lanes[1], 1, 3), to + kTileLineBytes);
      }
    }
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_VECTOR_PACKING_H_
