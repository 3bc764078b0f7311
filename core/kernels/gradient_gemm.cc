#include "core/arithmetic/check.h"
#include "core/kernels/gemm_driver.h"

namespace tally::kernels {
namespace {

template <class T>
PlainRows Block(RowsView<T> rows, size_t begin, size_t end, size_t column) {
  const size_t columns = std::min(kTileColumns, rows.columns - column);
  return {reinterpret_cast<const std::byte*>(rows.Row(begin) + column), rows.stride * sizeof(T),
          end - begin, columns * sizeof(T)};
}

// Some panels of d, and one of x.
struct Scratch {
  alignas(64) std::byte right[8 * (LeftWords::kPanelLinesMax + 1) * kTileLineBytes];
  LeftWords left;
};

void PreparePanel(const TileKernel& kernel, size_t lines, LeftWords& left) {
  if (kernel.split_lines != nullptr) {
    kernel.split_lines(lines, left.words, LeftWords::kPanelHalfBytes);
  }
  if (kernel.add_starts != nullptr) {
    std::fill_n(left.starts, kTileColumns, 0);
    kernel.add_starts(lines, left.words, left.starts);
  }
}

// The rows of sums that belong to up to 16 inputs, whose panel is in `words`.
template <class T, class Sum>
void RunInputs(const GemmTable& table, const LeftWords& words, size_t inputs,
               const PanelBlock& panels, const SumBlock<Sum>& sums) {
  const TileKernel& kernel = KernelOf<T>(table);
  const Pieces groups(inputs, kernel.rows_best);
  for (size_t g = 0; g < groups.count; ++g) {
    const size_t row = groups.Begin(g);
    SumBlock<Sum> rows = sums;
    rows.first += row * sums.row_stride;
    RunTiles(table, kernel,
             {words.words + 4 * row, 4, kTileLineBytes, kernel.panel_odd_bytes, words.starts + row,
              groups.End(g) - row},
             panels, rows);
  }
}

template <class T, class Sum>
void SumProducts(RowsView<T> x, RowsView<T> d, size_t run_lines, PanelSums<Sum>& sums) {
  TALLY_CHECK(x.rows == d.rows && sums.rows() == x.columns && sums.columns() == d.columns);
  TALLY_CHECK(x.rows > 0 && x.columns > 0 && d.columns > 0);
  constexpr size_t kGroup = PackedMatrix<T>::kGroup;
  const GemmTable& table = ActiveGemm();
  const TileKernel& kernel = KernelOf<T>(table);
  const Pieces runs((x.rows + kGroup - 1) / kGroup, std::min(run_lines, LeftWords::kPanelLinesMax));
  Scratch scratch;
  for (size_t r = 0; r < runs.count; ++r) {
    const size_t begin = runs.Begin(r) * kGroup;
    const size_t end = std::min(runs.End(r) * kGroup, x.rows);
    PanelBlock panels = {};
    panels.first = scratch.right;
    panels.lines = runs.End(r) - runs.Begin(r);
    panels.panel_bytes = (panels.lines + 1) * kTileLineBytes;
    const Pieces chunks(sums.panels(), sizeof(scratch.right) / panels.panel_bytes);
    for (size_t c = 0; c < chunks.count; ++c) {
      const size_t panel = chunks.Begin(c);
      panels.panels = chunks.End(c) - panel;
      panels.last_columns = std::min(kTileColumns, d.columns - (chunks.End(c) - 1) * kTileColumns);
      for (size_t p = 0; p < panels.panels; ++p) {
        kernel.pack(Block(d, begin, end, (panel + p) * kTileColumns),
                    scratch.right + p * panels.panel_bytes);
      }
      for (size_t input = 0; input < x.columns; input += kTileColumns) {
        kernel.pack(Block(x, begin, end, input), scratch.left.words);
        PreparePanel(kernel, panels.lines, scratch.left);
        RunInputs<T>(
            table, scratch.left, std::min(kTileColumns, x.columns - input), panels,
            SumBlock<Sum>{sums.Row(panel, input), kTileColumns, sums.panel_stride(), begin > 0});
      }
    }
  }
}

}  // namespace

void GradientGemm(RowsView<int8_t> x, RowsView<int8_t> d, PanelSums<int32_t>& sums) {
  TALLY_CHECK(x.rows <= kInt8DepthMax);
  SumProducts(x, d, kTileLinesMax, sums);
}

void GradientGemm(RowsView<int8_t> x, RowsView<int8_t> d, PanelSums<int64_t>& sums) {
  SumProducts(x, d, kTileLinesMax, sums);
}

void GradientGemm(RowsView<int16_t> x, RowsView<int16_t> d, Magnitudes magnitudes,
                  PanelSums<int32_t>& sums) {
  TALLY_CHECK(SumFitsInt32(x.rows, magnitudes));
  SumProducts(x, d, kTileLinesMax, sums);
}

void GradientGemm(RowsView<int16_t> x, RowsView<int16_t> d, Magnitudes magnitudes,
                  PanelSums<int64_t>& sums) {
  SumProducts(x, d, SafeLines(magnitudes), sums);
}

}  // namespace tally::kernels
