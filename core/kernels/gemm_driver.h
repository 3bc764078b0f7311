// The loops around the tiles, shared by all matrix products. Private to core/kernels.

#ifndef TALLY_CORE_KERNELS_GEMM_DRIVER_H_
#define TALLY_CORE_KERNELS_GEMM_DRIVER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/kernels/gemm_table.h"
#include "core/kernels/packed_gemm.h"

namespace tally::kernels {

// Panels that all rows meet before the next ones are looked at: 256 KiB in the second cache.
inline constexpr size_t kChunkPanels = 16;

template <class T>
const TileKernel& KernelOf(const GemmTable& table) {
  return sizeof(T) == 1 ? table.int8 : table.int16;
}

// `total` things in pieces of at most `most`, which differ by one at most.
struct Pieces {
  Pieces(size_t total, size_t most)
      : count((total + most - 1) / most), size(total / count), larger(total % count) {}
  size_t Begin(size_t piece) const { return piece * size + std::min(piece, larger); }
  size_t End(size_t piece) const { return Begin(piece + 1); }

  size_t count;
  size_t size;  // of all but the first `larger`, which have one more
  size_t larger;
};

// The left operand of a row of tiles, in words (gemm_table.h).
struct LeftTile {
  const std::byte* words;
  size_t row_bytes;
  size_t line_bytes;
  ptrdiff_t odd_bytes;
  const int32_t* starts;
  size_t rows;
  const TileSegment* segments = &kOnlySegment;
  size_t segment_count = 1;
};

// The right one: some lines, or those of a segment, of some panels.
struct PanelBlock {
  const std::byte* first;
  size_t panel_bytes;
  size_t panels;
  size_t lines;
  size_t last_columns;  // of the last panel that exist
};

// Where the sums go, and whether they are added to what is there.
template <class Sum>
struct SumBlock {
  Sum* first;
  size_t row_stride;
  size_t panel_stride;
  bool add;
};

// `sums` is the place of the tile's first row and column; Sum is int32_t or int64_t.
template <class Sum>
void RunTiles(const GemmTable& table, const TileKernel& kernel, const LeftTile& left,
              const PanelBlock& panels, SumBlock<Sum> sums);

// The same for any number of plain rows with at most kTileLinesMax words each, a block of them
// after the other. `done` hears of each.
template <class T, class Sum>
void RunRows(const GemmTable& table, RowsView<T> rows, const PanelBlock& panels,
             const SumBlock<Sum>& sums, RowsDone done);

// The lines that sums of int16 may take before they are moved to int64; at least one.
size_t SafeLines(Magnitudes magnitudes);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_GEMM_DRIVER_H_
