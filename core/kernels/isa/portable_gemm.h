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

// The same for the lines of a panel, the even elements in place.
[[maybe_unused]] void SplitLines(size_t lines, std::byte* words, size_t odd_bytes) {
  int16_t* even = reinterpret_cast<int16_t*>(words);
  int16_t* odd = reinterpret_cast<int16_t*>(words + odd_bytes);
  for (size_t i = 0; i < lines * kTileLineBytes / 2; ++i) {
    const int16_t pair = even[i];
    even[i] = static_cast<int8_t>(pair & 0xff);
    odd[i] = static_cast<int16_t>(pair >> 8);
  }
}

// Element (row, column) goes to line row / group, lane column, place row % group.
template <class T>
[[maybe_unused]] void Pack(const PlainRows& rows, std::byte* lines) {
  constexpr size_t kGroup = 4 / sizeof(T);
  const size_t columns = rows.bytes / sizeof(T);
  T* packed = reinterpret_cast<T*>(lines);
  for (size_t row = 0; row < (rows.rows + kGroup - 1) / kGroup * kGroup; ++row) {
    const T* plain = reinterpret_cast<const T*>(rows.first + row * rows.stride_bytes);
    T* line = packed + row / kGroup * kGroup * kTileColumns + row % kGroup;
    for (size_t j = 0; j < kTileColumns; ++j) {
      line[j * kGroup] = row < rows.rows && j < columns ? plain[j] : T{0};
    }
  }
}

// Row k and column j of the weights, in line k / group and lane j, goes to line j / group and lane
// k.
template <class T>
[[maybe_unused]] void Transpose(const TransposeTask& task, std::byte* lines) {
  constexpr size_t kGroup = 4 / sizeof(T);
  T* out = reinterpret_cast<T*>(lines);
  for (size_t j = 0; j < task.panels * kTileColumns; ++j) {
    const T* panel = reinterpret_cast<const T*>(task.lines + j / kTileColumns * task.panel_bytes);
    for (size_t k = 0; k < kTileColumns; ++k) {
      const size_t from = (k / kGroup * kTileColumns + j % kTileColumns) * kGroup + k % kGroup;
      out[(j / kGroup * kTileColumns + k) * kGroup + j % kGroup] =
          k / kGroup < task.count ? panel[from] : T{0};
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
