#include "core/kernels/gemm_driver.h"

#include <bit>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

// `task` lacks only the place of the sums.
void RunTile(const GemmTable&, const TileKernel& kernel, TileTask& task,
             const SumBlock<int32_t>& sums) {
  task.sums = sums.first;
  task.sums_row_stride = sums.row_stride;
  task.sums_panel_stride = sums.panel_stride;
  task.add = sums.add;
  kernel.run(task);
}

void RunTile(const GemmTable& table, const TileKernel& kernel, TileTask& task,
             const SumBlock<int64_t>& sums) {
  alignas(64) int32_t narrow[kTileRowsMax * kTilePanelsMax * kTileColumns];
  RunTile(table, kernel, task,
          SumBlock<int32_t>{narrow, kTilePanelsMax * kTileColumns, kTileColumns, false});
  table.widen(narrow, task.rows, task.panels,
              {sums.first, sums.row_stride, sums.panel_stride, task.last_columns, sums.add});
}

// How many of `panels` the next tile takes: all, or all but a last half one, if they fit; else not
// so many that a thin rest is left.
size_t TilePanels(const TileKernel& kernel, size_t rows, size_t panels, size_t last_columns) {
  constexpr size_t kHalf = kTileColumns / 2;
  const bool half = last_columns <= kHalf && rows >= kernel.half_panel_rows_min;
  const size_t whole = half && panels > 1 ? panels - 1 : panels;
  const size_t most = kernel.panels_max[rows];
  if (whole <= most) return whole;
  return whole < 2 * most ? (whole + 1) / 2 : most;
}

}  // namespace

template <class Sum>
void RunTiles(const GemmTable& table, const TileKernel& kernel, const LeftTile& left,
              const PanelBlock& panels, SumBlock<Sum> sums) {
  TileTask task = {};
  task.left = left.words;
  task.left_row_bytes = left.row_bytes;
  task.left_line_bytes = left.line_bytes;
  task.left_odd_bytes = left.odd_bytes;
  task.starts = left.starts;
  task.rows = left.rows;
  task.weights = panels.first;
  task.weights_panel_bytes = panels.panel_bytes;
  task.segments = left.segments;
  task.segment_count = left.segment_count;
  task.lines = panels.lines;
  for (size_t rest = panels.panels; rest > 0; rest -= task.panels) {
    task.panels = TilePanels(kernel, left.rows, rest, panels.last_columns);
    task.last_columns = task.panels < rest ? kTileColumns : panels.last_columns;
    RunTile(table, kernel, task, sums);
    task.weights += task.panels * panels.panel_bytes;
    sums.first += task.panels * sums.panel_stride;
  }
}

template <class T, class Sum>
void RunRows(const GemmTable& table, RowsView<T> rows, const PanelBlock& panels,
             const SumBlock<Sum>& sums, RowsDone done) {
  const TileKernel& kernel = KernelOf<T>(table);
  const Pieces blocks(rows.rows, kernel.rows_best);
  LeftWords words;
  LeftTile left = {words.words, kernel.left_row_bytes, 4, kernel.left_odd_bytes, words.starts, 0};
  for (size_t b = 0; b < blocks.count; ++b) {
    const size_t row = blocks.Begin(b);
    left.rows = blocks.End(b) - row;
    kernel.prepare({reinterpret_cast<const std::byte*>(rows.Row(row)), rows.stride * sizeof(T),
                    left.rows, rows.columns * sizeof(T)},
                   words);
    SumBlock<Sum> block = sums;
    block.first += row * sums.row_stride;
    RunTiles(table, kernel, left, panels, block);
    done(row, left.rows);
  }
}

size_t SafeLines(Magnitudes magnitudes) {
  const uint64_t product = uint64_t{magnitudes.left_max} * magnitudes.right_max;
  const uint64_t depth = product == 0 ? UINT32_MAX : INT32_MAX / product;
  TALLY_CHECK(depth >= 2);
  return static_cast<size_t>(std::min<uint64_t>(depth / 2, kTileLinesMax));
}

template void RunTiles(const GemmTable&, const TileKernel&, const LeftTile&, const PanelBlock&,
                       SumBlock<int32_t>);
template void RunTiles(const GemmTable&, const TileKernel&, const LeftTile&, const PanelBlock&,
                       SumBlock<int64_t>);
template void RunRows(const GemmTable&, RowsView<int8_t>, const PanelBlock&,
                      const SumBlock<int32_t>&, RowsDone);
template void RunRows(const GemmTable&, RowsView<int16_t>, const PanelBlock&,
                      const SumBlock<int32_t>&, RowsDone);
template void RunRows(const GemmTable&, RowsView<int16_t>, const PanelBlock&,
                      const SumBlock<int64_t>&, RowsDone);

}  // namespace tally::kernels
