#include "core/kernels/packed_gemm.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/arithmetic/check.h"
#include "core/kernels/gemm_table.h"

namespace tally::kernels {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

// Panels that all rows meet before the next ones are looked at: 256 KiB in the second cache.
constexpr size_t kChunkPanels = 16;

template <class T>
const TileKernel& KernelOf(const GemmTable& table) {
  return sizeof(T) == 1 ? table.int8 : table.int16;
}

// `total` things in pieces of at most `most`, which differ by one at most.
struct Pieces {
  Pieces(size_t total, size_t most)
      : count((total + most - 1) / most), size(total / count), larger(total % count) {}
  size_t Begin(size_t piece) const { return piece * size + std::min(piece, larger); }

  size_t count;
  size_t size;  // of all but the first `larger`, which have one more
  size_t larger;
};

// Where the sums of a block of rows and panels go.
template <class Sum>
struct Target {
  Sum* first;
  size_t row_stride;
  size_t panel_stride;
  size_t last_columns;  // of the last panel that exist
  bool add;
};

// One tile; `task` lacks only the place of the sums.
void RunTile(const GemmTable&, const TileKernel& kernel, TileTask& task,
             const Target<int32_t>& target) {
  task.sums = target.first;
  task.sums_row_stride = target.row_stride;
  task.sums_panel_stride = target.panel_stride;
  task.last_columns = target.last_columns;
  task.add = target.add;
  kernel.run(task);
}

void RunTile(const GemmTable& table, const TileKernel& kernel, TileTask& task,
             const Target<int64_t>& target) {
  alignas(64) int32_t sums[kTileRowsMax * kTilePanelsMax * kTileColumns];
  RunTile(table, kernel, task,
          Target<int32_t>{sums, kTilePanelsMax * kTileColumns, kTileColumns, target.last_columns,
                          false});
  table.widen(
      sums, task.rows, task.panels,
      {target.first, target.row_stride, target.panel_stride, target.last_columns, target.add});
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

// A block of rows times `panels` panels, the first of which `task` points at.
template <class Sum>
void RunPanels(const GemmTable& table, const TileKernel& kernel, TileTask& task, size_t panels,
               Target<Sum> target) {
  const size_t last_columns = target.last_columns;
  while (panels > 0) {
    task.panels = TilePanels(kernel, task.rows, panels, last_columns);
    panels -= task.panels;
    target.last_columns = panels > 0 ? kTileColumns : last_columns;
    RunTile(table, kernel, task, target);
    task.weights += task.panels * task.weights_panel_bytes;
    target.first += task.panels * target.panel_stride;
  }
}

template <class T, class Sum>
void Multiply(RowsView<T> x, const PackedMatrix<T>& w, size_t block_lines, MatrixView<Sum> z) {
  constexpr size_t kGroup = PackedMatrix<T>::kGroup;
  TALLY_CHECK(x.columns == w.rows() && z.rows == x.rows && z.columns == w.columns());
  TALLY_CHECK(x.rows > 0 && x.columns > 0 && z.columns > 0);
  const GemmTable& table = ActiveGemm();
  const TileKernel& kernel = KernelOf<T>(table);
  const Pieces blocks(w.lines(), block_lines);
  const Pieces row_blocks(x.rows, kernel.rows_best);
  LeftWords left;
  TileTask task = {};
  task.left = left.words;
  task.left_row_bytes = kernel.left_row_bytes;
  task.left_line_bytes = kGroup * sizeof(T);
  task.left_odd_bytes = kernel.left_odd_bytes;
  task.starts = left.starts;
  task.weights_panel_bytes = w.panel_stride() * sizeof(T);
  for (size_t panel = 0; panel < w.panels(); panel += kChunkPanels) {
    const size_t panels = std::min(kChunkPanels, w.panels() - panel);
    const size_t last_columns =
        std::min(kTileColumns, z.columns - (panel + panels - 1) * kTileColumns);
    for (size_t b = 0; b < blocks.count; ++b) {
      const size_t begin = blocks.Begin(b) * kGroup;
      const size_t end = std::min(blocks.Begin(b + 1) * kGroup, x.columns);
      task.lines = blocks.Begin(b + 1) - blocks.Begin(b);
      for (size_t i = 0; i < row_blocks.count; ++i) {
        const size_t row = row_blocks.Begin(i);
        task.rows = row_blocks.Begin(i + 1) - row;
        kernel.prepare({reinterpret_cast<const std::byte*>(x.Row(row) + begin),
                        x.stride * sizeof(T), task.rows, (end - begin) * sizeof(T)},
                       left);
        task.weights = reinterpret_cast<const std::byte*>(w.Line(panel, blocks.Begin(b)));
        RunPanels(table, kernel, task, panels,
                  Target<Sum>{z.Row(row) + panel * kTileColumns, z.columns, kTileColumns,
                              last_columns, b > 0});
      }
    }
  }
}

// Lines of int16 whose sums cannot leave int32.
size_t SafeLines(Magnitudes magnitudes) {
  const uint64_t product = uint64_t{magnitudes.left_max} * magnitudes.right_max;
  const uint64_t depth = product == 0 ? UINT32_MAX : INT32_MAX / product;
  TALLY_CHECK(depth >= 2);
  return static_cast<size_t>(std::min<uint64_t>(depth / 2, kTileLinesMax));
}

}  // namespace

bool SumFitsInt32(size_t depth, Magnitudes magnitudes) {
  const uint64_t product = uint64_t{magnitudes.left_max} * magnitudes.right_max;
  return product == 0 || depth <= INT32_MAX / product;
}

void PackedGemm(RowsView<int8_t> x, const PackedMatrix<int8_t>& w, MatrixView<int32_t> z) {
  TALLY_CHECK(x.columns <= kInt8DepthMax);
  Multiply(x, w, kTileLinesMax, z);
}

void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, Magnitudes magnitudes,
                MatrixView<int32_t> z) {
  TALLY_CHECK(SumFitsInt32(x.columns, magnitudes));
  Multiply(x, w, kTileLinesMax, z);
}

void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, Magnitudes magnitudes,
                MatrixView<int64_t> z) {
  Multiply(x, w, SafeLines(magnitudes), z);
}

}  // namespace tally::kernels
