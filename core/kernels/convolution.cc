#include "core/kernels/convolution.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/kernels/convolution_windows.h"
#include "core/kernels/gemm_driver.h"

namespace tally::kernels {
namespace {

constexpr size_t kGroup = PackedMatrix<int8_t>::kGroup;

void CheckShape(const ConvolutionShape& shape, const PackedMatrix<int8_t>& weights) {
  TALLY_CHECK(weights.rows() == shape.Depth() && weights.columns() == shape.units);
}

// Columns [begin, end) of `count` windows times panels with as many lines as those are words.
void MultiplyWindows(const Windows& windows, size_t count, size_t begin, size_t end,
                     const PanelBlock& panels, const SumBlock<int32_t>& sums, RowsDone done) {
  constexpr size_t kBlock = 3 * kTileRowsMax;
  constexpr size_t kStride = kGroup * kTileLinesMax;
  const GemmTable& table = ActiveGemm();
  alignas(64) int8_t copies[kBlock * kStride];
  const Pieces blocks(count, kBlock);
  for (size_t b = 0; b < blocks.count; ++b) {
    const size_t first = blocks.Begin(b);
    const size_t rows = blocks.End(b) - first;
    windows.Copy(first, rows, begin, end, copies, kStride);
    SumBlock<int32_t> block = sums;
    block.first += first * sums.row_stride;
    RunRows(table, RowsView<int8_t>(copies, rows, end - begin, kStride), panels, block,
            [&](size_t row, size_t count_done) { done(first + row, count_done); });
  }
}

// Panels of the factor that errors are multiplied with: the weights turned by 180 degrees, with
// units and channels exchanged. Row (r * kernel_width + c) * units + u holds the weights of unit u
// that lie in row r and column c counted from the end; columns are channels.
class TurnedPanels {
 public:
  static constexpr size_t kPanelsMax = 8;

  TurnedPanels(const ConvolutionShape& shape, const PackedMatrix<int8_t>& weights)
      : shape_(shape), weights_(weights) {}

  size_t panels() const { return (shape_.channels + kTileColumns - 1) / kTileColumns; }
  size_t rows() const { return shape_.kernel_height * shape_.kernel_width * shape_.units; }

  // Rows [begin, end), whole groups but for the last one, of the panels [first, last).
  PanelBlock Make(size_t first, size_t last, size_t begin, size_t end) {
    PanelBlock block = {};
    block.first = reinterpret_cast<const std::byte*>(lines_);
    block.panel_bytes = (kTileLinesMax + 1) * kTileLineBytes;
    block.panels = last - first;
    block.lines = (end - begin + kGroup - 1) / kGroup;
    block.last_columns = std::min(kTileColumns, shape_.channels - (last - 1) * kTileColumns);
    for (size_t p = first; p < last; ++p) {
      int8_t* lines = lines_ + (p - first) * block.panel_bytes;
      std::fill_n(lines, block.lines * kTileLineBytes, int8_t{0});
      for (size_t row = begin; row < end; ++row) {
        CopyRow(row, p * kTileColumns,
                lines + (row - begin) / kGroup * kTileLineBytes + (row - begin) % kGroup);
      }
    }
    return block;
  }

 private:
  void CopyRow(size_t row, size_t channel, int8_t* lanes) const {
    const size_t turned = shape_.kernel_height * shape_.kernel_width - 1 - row / shape_.units;
    const size_t count = std::min(kTileColumns, shape_.channels - channel);
    const size_t from = turned * shape_.channels + channel;
    for (size_t j = 0; j < count; ++j) {
      lanes[j * kGroup] = weights_.At(from + j, row % shape_.units);
    }
  }

  const ConvolutionShape& shape_;
  const PackedMatrix<int8_t>& weights_;
  alignas(64) int8_t lines_[kPanelsMax * (kTileLinesMax + 1) * kTileLineBytes];
};

}  // namespace

void Convolve(MatrixView<const int8_t> images, const ConvolutionShape& shape,
              const PackedMatrix<int8_t>& weights, MatrixView<int32_t> z, RowsDone done) {
  CheckExtents(shape);
  CheckShape(shape, weights);
  TALLY_CHECK(images.rows > 0 && images.columns == shape.ImageElements());
  TALLY_CHECK(z.rows == images.rows * shape.Positions() && z.columns >= shape.units);
  TALLY_CHECK(shape.Depth() <= kInt8DepthMax);
  const Windows windows = ImageWindows(images.data, shape);
  const Pieces blocks(weights.lines(), kTileLinesMax);
  for (size_t panel = 0; panel < weights.panels(); panel += kChunkPanels) {
    PanelBlock panels = {};
    panels.panel_bytes = weights.panel_stride();
    panels.panels = std::min(kChunkPanels, weights.panels() - panel);
    panels.last_columns =
        std::min(kTileColumns, shape.units - (panel + panels.panels - 1) * kTileColumns);
    for (size_t b = 0; b < blocks.count; ++b) {
      panels.first = reinterpret_cast<const std::byte*>(weights.Line(panel, blocks.Begin(b)));
      panels.lines = blocks.End(b) - blocks.Begin(b);
      const bool last = b + 1 == blocks.count && panel + panels.panels == weights.panels();
      MultiplyWindows(
          windows, z.rows, blocks.Begin(b) * kGroup,
          std::min(blocks.End(b) * kGroup, shape.Depth()), panels,
          SumBlock<int32_t>{z.data + panel * kTileColumns, z.columns, kTileColumns, b > 0},
          last ? done : RowsDone(IgnoreRows));
    }
  }
}

void ConvolutionError(MatrixView<const int8_t> d, const ConvolutionShape& shape,
                      const PackedMatrix<int8_t>& weights, MatrixView<int32_t> e) {
  CheckExtents(shape);
  CheckShape(shape, weights);
  TALLY_CHECK(e.rows > 0 && e.columns == shape.ImageElements());
  TALLY_CHECK(d.rows == e.rows * shape.Positions() && d.columns == shape.units);
  TurnedPanels turned(shape, weights);
  TALLY_CHECK(turned.rows() <= kInt8DepthMax);
  const Windows windows = ErrorWindows(d.data, shape);
  const Pieces blocks((turned.rows() + kGroup - 1) / kGroup, kTileLinesMax);
  const Pieces chunks(turned.panels(), TurnedPanels::kPanelsMax);
  for (size_t c = 0; c < chunks.count; ++c) {
    for (size_t b = 0; b < blocks.count; ++b) {
      const size_t begin = blocks.Begin(b) * kGroup;
      const size_t end = std::min(blocks.End(b) * kGroup, turned.rows());
      const PanelBlock panels = turned.Make(chunks.Begin(c), chunks.End(c), begin, end);
      MultiplyWindows(windows, e.rows * shape.height * shape.width, begin, end, panels,
                      SumBlock<int32_t>{e.data + chunks.Begin(c) * kTileColumns, shape.channels,
                                        kTileColumns, b > 0},
                      IgnoreRows);
    }
  }
}

}  // namespace tally::kernels
