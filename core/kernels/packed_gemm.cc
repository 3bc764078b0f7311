#include "core/kernels/packed_gemm.h"

#include "core/arithmetic/check.h"
#include "core/kernels/gemm_driver.h"

namespace tally::kernels {
namespace {

template <class T, class Sum>
void Multiply(RowsView<T> x, const PackedMatrix<T>& w, size_t block_lines, MatrixView<Sum> z,
              RowsDone done) {
  TALLY_CHECK(x.columns == w.rows() && z.rows == x.rows && z.columns >= w.columns());
  TALLY_CHECK(x.rows > 0 && x.columns > 0 && w.columns() > 0);
  constexpr size_t kGroup = PackedMatrix<T>::kGroup;
  const GemmTable& table = ActiveGemm();
  const Pieces blocks(w.lines(), block_lines);
  for (size_t panel = 0; panel < w.panels(); panel += kChunkPanels) {
    PanelBlock panels = {};
    panels.panel_bytes = w.panel_stride() * sizeof(T);
    panels.panels = std::min(kChunkPanels, w.panels() - panel);
    panels.last_columns =
        std::min(kTileColumns, w.columns() - (panel + panels.panels - 1) * kTileColumns);
    const bool last_panels = panel + panels.panels == w.panels();
    for (size_t b = 0; b < blocks.count; ++b) {
      panels.first = reinterpret_cast<const std::byte*>(w.Line(panel, blocks.Begin(b)));
      panels.lines = blocks.End(b) - blocks.Begin(b);
      const size_t end = std::min(blocks.End(b) * kGroup, x.columns);
      const bool last = last_panels && b + 1 == blocks.count;
      RunRows(table, x.Columns(blocks.Begin(b) * kGroup, end), panels,
              SumBlock<Sum>{z.data + panel * kTileColumns, z.columns, kTileColumns, b > 0},
              last ? done : RowsDone(IgnoreRows));
    }
  }
}

// Panels whose columns are the rows of packed weights, made anew for a block of the weights'
// columns.
template <class T>
class TransposedPanels {
 public:
  static constexpr size_t kGroup = PackedMatrix<T>::kGroup;
  // Of the weights: what fills kTileLinesMax lines.
  static constexpr size_t kBlockPanels = kTileLinesMax * kGroup / kTileColumns;

  // From the columns of the panels [begin, end) of `weights`.
  TransposedPanels(const PackedMatrix<T>& weights, size_t begin, size_t end)
      : weights_(weights), begin_(begin), end_(end) {
    const size_t columns = std::min(end * kTileColumns, weights.columns()) - begin * kTileColumns;
    lines_ = (columns + kGroup - 1) / kGroup;
    // One line more than there are to write, so that panels do not start at the same place of a
    // page.
    panel_bytes_ = ((end - begin) * kTileColumns / kGroup + 1) * kTileLineBytes;
  }

  // Of the transposed matrix: how many there are, and how many Make can make at a time.
  size_t panels() const { return (weights_.rows() + kTileColumns - 1) / kTileColumns; }
  size_t panels_max() const { return sizeof(bytes_) / panel_bytes_; }
  size_t first_column() const { return begin_ * kTileColumns; }

  // Panels [first, end) of the transposed matrix.
  PanelBlock Make(const TileKernel& kernel, size_t first, size_t end) {
    constexpr size_t kPanelLines = kTileColumns / kGroup;
    for (size_t p = first; p < end; ++p) {
      const size_t line = p * kPanelLines;
      kernel.transpose({reinterpret_cast<const std::byte*>(weights_.Line(begin_, line)),
                        weights_.panel_stride() * sizeof(T), end_ - begin_,
                        std::min(kPanelLines, weights_.lines() - line)},
                       bytes_ + (p - first) * panel_bytes_);
    }
    return {bytes_, panel_bytes_, end - first, lines_,
            std::min(kTileColumns, weights_.rows() - (end - 1) * kTileColumns)};
  }

 private:
  const PackedMatrix<T>& weights_;
  size_t begin_;
  size_t end_;
  size_t lines_;
  size_t panel_bytes_;
  alignas(64) std::byte bytes_[8 * (kTileLinesMax + 1) * kTileLineBytes];
};

// The block of the columns of w that `transposed` makes panels of; the first one starts the sums.
template <class T, class Sum>
void MultiplyBlockTransposed(RowsView<T> d, TransposedPanels<T>& transposed, size_t run_lines,
                             MatrixView<Sum> e, RowsDone done) {
  constexpr size_t kGroup = PackedMatrix<T>::kGroup;
  const GemmTable& table = ActiveGemm();
  const Pieces chunks(transposed.panels(), transposed.panels_max());
  for (size_t c = 0; c < chunks.count; ++c) {
    const size_t panel = chunks.Begin(c);
    const PanelBlock block = transposed.Make(KernelOf<T>(table), panel, chunks.End(c));
    const Pieces runs(block.lines, run_lines);
    for (size_t r = 0; r < runs.count; ++r) {
      PanelBlock run = block;
      run.first += runs.Begin(r) * kTileLineBytes;
      run.lines = runs.End(r) - runs.Begin(r);
      const size_t first = transposed.first_column() + runs.Begin(r) * kGroup;
      const size_t last = std::min(first + run.lines * kGroup, d.columns);
      const bool complete = c + 1 == chunks.count && last == d.columns;
      RunRows(table, d.Columns(first, last), run,
              SumBlock<Sum>{e.data + panel * kTileColumns, e.columns, kTileColumns, first > 0},
              complete ? done : RowsDone(IgnoreRows));
    }
  }
}

template <class T, class Sum>
void MultiplyTransposed(RowsView<T> d, const PackedMatrix<T>& w, size_t run_lines,
                        MatrixView<Sum> e, RowsDone done) {
  TALLY_CHECK(d.columns == w.columns() && e.rows == d.rows && e.columns >= w.rows());
  TALLY_CHECK(d.rows > 0 && d.columns > 0 && w.rows() > 0);
  const Pieces blocks(w.panels(), TransposedPanels<T>::kBlockPanels);
  for (size_t b = 0; b < blocks.count; ++b) {
    TransposedPanels<T> transposed(w, blocks.Begin(b), blocks.End(b));
    MultiplyBlockTransposed(d, transposed, run_lines, e, done);
  }
}

}  // namespace

bool SumFitsInt32(size_t depth, Magnitudes magnitudes) {
  const uint64_t product = uint64_t{magnitudes.left_max} * magnitudes.right_max;
  return product == 0 || depth <= INT32_MAX / product;
}

void PackedGemm(RowsView<int8_t> x, const PackedMatrix<int8_t>& w, MatrixView<int32_t> z,
                RowsDone done) {
  TALLY_CHECK(x.columns <= kInt8DepthMax);
  Multiply(x, w, kTileLinesMax, z, done);
}

void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, Magnitudes magnitudes,
                MatrixView<int32_t> z, RowsDone done) {
  TALLY_CHECK(SumFitsInt32(x.columns, magnitudes));
  Multiply(x, w, kTileLinesMax, z, done);
}

void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, Magnitudes magnitudes,
                MatrixView<int64_t> z, RowsDone done) {
  Multiply(x, w, SafeLines(magnitudes), z, done);
}

void PackedGemmTransposed(RowsView<int8_t> d, const PackedMatrix<int8_t>& w, MatrixView<int32_t> e,
                          RowsDone done) {
  TALLY_CHECK(d.columns <= kInt8DepthMax);
  MultiplyTransposed(d, w, kTileLinesMax, e, done);
}

void PackedGemmTransposed(RowsView<int16_t> d, const PackedMatrix<int16_t>& w,
                          Magnitudes magnitudes, MatrixView<int32_t> e, RowsDone done) {
  TALLY_CHECK(SumFitsInt32(d.columns, magnitudes));
  MultiplyTransposed(d, w, kTileLinesMax, e, done);
}

void PackedGemmTransposed(RowsView<int16_t> d, const PackedMatrix<int16_t>& w,
                          Magnitudes magnitudes, MatrixView<int64_t> e, RowsDone done) {
  MultiplyTransposed(d, w, SafeLines(magnitudes), e, done);
}

void PackedGemm(RowsView<int16_t> x, const PackedMatrix<int16_t>& w, SumsFit, MatrixView<int32_t> z,
                RowsDone done) {
  Multiply(x, w, kTileLinesMax, z, done);
}

void PackedGemmTransposed(RowsView<int16_t> d, const PackedMatrix<int16_t>& w, SumsFit,
                          MatrixView<int32_t> e, RowsDone done) {
  MultiplyTransposed(d, w, kTileLinesMax, e, done);
}

}  // namespace tally::kernels
