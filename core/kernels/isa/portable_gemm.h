// What every level compiles from the same plain loops. Included once a unit, so that each level's
// compiler flags apply to it; hence the unnamed namespace.

#ifndef TALLY_CORE_KERNELS_ISA_PORTABLE_GEMM_H_
#define TALLY_CORE_KERNELS_ISA_PORTABLE_GEMM_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/gemm_table.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

// Words as they lie in memory.
[[maybe_unused]] void CopyRows(const PlainRows& rows, LeftWords& left) {
  for (size_t r = 0; r < rows.rows; ++r) {
    std::byte* copy = left.words + r * LeftWords::kHalfBytes;
    __builtin_memset(copy + rows.bytes / 4 * 4, 0, 4);
    __builtin_memcpy(copy, rows.first + r * rows.stride_bytes, rows.bytes);
  }
}

// Sixteen bits that may lie anywhere.
struct [[gnu::packed, gnu::may_alias]] LoosePair {
  int16_t value;
};

// Words of int8 split into words of int16: elements 0 and 2 of four, and kHalfBytes further on
// elements 1 and 3.
[[maybe_unused]] void SplitRows(const PlainRows& rows, LeftWords& left) {
  const size_t pairs = rows.bytes / 2;
  for (size_t r = 0; r < rows.rows; ++r) {
    const std::byte* row = rows.first + r * rows.stride_bytes;
    const LoosePair* from = reinterpret_cast<const LoosePair*>(row);
    int16_t* even = reinterpret_cast<int16_t*>(left.words + r * LeftWords::kRowBytes);
    int16_t* odd = even + LeftWords::kHalfBytes / 2;
    for (size_t i = 0; i < pairs; ++i) {
      const int16_t pair = from[i].value;
      even[i] = static_cast<int8_t>(pair & 0xff);
      odd[i] = static_cast<int16_t>(pair >> 8);
    }
    // Up to the end of the last word, which may lack one to three elements.
    for (size_t i = pairs; i % 2 != 0 || 2 * i < rows.bytes; ++i) {
      even[i] = 2 * i < rows.bytes ? static_cast<int8_t>(row[2 * i]) : int16_t{0};
      odd[i] = 0;
    }
  }
}

[[maybe_unused]] void Widen(const int32_t* sums, size_t rows, size_t panels,
                            const WideTarget& target) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t p = 0; p < panels; ++p) {
      const int32_t* from = sums + (r * kTilePanelsMax + p) * kTileColumns;
      int64_t* to = target.sums + r * target.row_stride + p * target.panel_stride;
      const size_t columns = p + 1 < panels ? kTileColumns : target.last_columns;
      if (target.add) {
        for (size_t j = 0; j < columns; ++j) to[j] += from[j];
      } else {
        for (size_t j = 0; j < columns; ++j) to[j] = from[j];
      }
    }
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_PORTABLE_GEMM_H_
