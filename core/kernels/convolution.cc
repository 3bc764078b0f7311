#include "core/kernels/convolution.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/kernels/convolution_panels.h"
#include "core/kernels/convolution_strips.h"
#include "core/kernels/convolution_windows.h"
#include "core/kernels/gemm_driver.h"
#include "core/kernels/minimal_convolution.h"

namespace tally::kernels {
namespace {

constexpr size_t kGroup = PackedMatrix<int8_t>::kGroup;

void CheckWeights(const ConvolutionShape& shape, const PackedMatrix<int8_t>& weights) {
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

// For windows that no strip has room for: blocks of their columns, copied one by one.
[[gnu::noinline]] void MultiplyCopies(const Windows& windows, size_t images,
                                      const KernelSource& source, MatrixView<int32_t> z,
                                      RowsDone done) {
  MadePanels made(source);
  const size_t depth = windows.Depth();
  const Pieces blocks((depth + kGroup - 1) / kGroup, kTileLinesMax);
  const Pieces chunks(source.panels(), MadePanels::kBytes / ((blocks.End(0) + 1) * kTileLineBytes));
  for (size_t c = 0; c < chunks.count; ++c) {
    for (size_t b = 0; b < blocks.count; ++b) {
      const size_t begin = blocks.Begin(b) * kGroup;
      const size_t end = std::min(blocks.End(b) * kGroup, depth);
      const PanelBlock panels = made.MakeRows(chunks.Begin(c), chunks.End(c), begin, end);
      const bool last = c + 1 == chunks.count && b + 1 == blocks.count;
      MultiplyWindows(windows, images * windows.out_height * windows.out_width, begin, end, panels,
                      SumBlock<int32_t>{z.data + chunks.Begin(c) * kTileColumns, z.columns,
                                        kTileColumns, b > 0},
                      last ? done : RowsDone(IgnoreRows));
    }
  }
}

// With panels whose kernel rows are made to begin at a line each.
[[gnu::noinline]] void MultiplyByMadePanels(const Windows& windows, const StripLayout& layout,
                                            size_t images, const KernelSource& source,
                                            MatrixView<int32_t> z, RowsDone done) {
  MadePanels made(source);
  const size_t most = made.PanelsMax(layout.row_lines);
  const Pieces chunks(source.panels(), most);
  for (size_t c = 0; c < chunks.count; ++c) {
    const size_t panel = chunks.Begin(c);
    MultiplyStrips(windows, layout, images,
                   made.MakeKernelRows(panel, chunks.End(c), layout.row_lines),
                   {z.data + panel * kTileColumns, z.columns, kTileColumns, false},
                   c + 1 == chunks.count ? done : RowsDone(IgnoreRows));
  }
}

// With weights as they are, whose kernel rows begin at a line each.
void MultiplyByWeights(const Windows& windows, const StripLayout& layout, size_t images,
                       const PackedMatrix<int8_t>& weights, MatrixView<int32_t> z, RowsDone done) {
  // What stays in the second cache.
  constexpr size_t kChunkBytes = 256 * 1024;
  const size_t most =
      std::clamp<size_t>(kChunkBytes / (weights.lines() * kTileLineBytes), 1, kChunkPanels);
  const Pieces chunks(weights.panels(), most);
  for (size_t c = 0; c < chunks.count; ++c) {
    const size_t panel = chunks.Begin(c);
    PanelBlock panels = {};
    panels.first = reinterpret_cast<const std::byte*>(weights.Line(panel, 0));
    panels.panel_bytes = weights.panel_stride();
    panels.panels = chunks.End(c) - panel;
    panels.last_columns =
        std::min(kTileColumns, weights.columns() - (chunks.End(c) - 1) * kTileColumns);
    MultiplyStrips(windows, layout, images, panels,
                   {z.data + panel * kTileColumns, z.columns, kTileColumns, false},
                   c + 1 == chunks.count ? done : RowsDone(IgnoreRows));
  }
}

void Multiply(const Windows& windows, size_t images, const KernelSource& source,
              MatrixView<int32_t> z, RowsDone done) {
  const StripLayout layout(windows);
  if (!layout.fits || MadePanels::PanelsMax(source, layout.row_lines) == 0) {
    MultiplyCopies(windows, images, source, z, done);
  } else {
    MultiplyByMadePanels(windows, layout, images, source, z, done);
  }
}

}  // namespace

size_t ConvolutionScratchElements(const ConvolutionShape& shape) {
  const MinimalLayout forward(ImageWindows(nullptr, shape), shape.units);
  const MinimalLayout error(ErrorWindows(nullptr, shape), shape.channels);
  return std::max(forward.pays ? forward.Elements() : 0, error.pays ? error.Elements() : 0);
}

void Convolve(MatrixView<const int8_t> images, const ConvolutionShape& shape,
              const PackedMatrix<int8_t>& weights, MatrixView<int32_t> z, RowsDone done,
              std::span<int16_t> scratch) {
  CheckExtents(shape);
  CheckWeights(shape, weights);
  TALLY_CHECK(images.rows > 0 && images.columns == shape.ImageElements());
  TALLY_CHECK(z.rows == images.rows * shape.Positions() && z.columns >= shape.units);
  TALLY_CHECK(shape.Depth() <= kInt8DepthMax);
  if (shape.IsProduct()) {
    PackedGemm(RowsView<int8_t>(images.data, z.rows, shape.Depth(), shape.Depth()), weights, z,
               done);
    return;
  }
  const ConvolutionShape flat = shape.AlongWidth();
  const Windows windows = ImageWindows(images.data, flat);
  const MinimalLayout minimal(windows, shape.units);
  if (minimal.pays && scratch.size() >= minimal.Elements()) {
    MultiplyMinimally(windows, minimal, images.rows, KernelSource::Plain(flat, weights), z, scratch,
                      done);
    return;
  }
  const StripLayout layout(windows);
  if (layout.fits && layout.aligned) {
    MultiplyByWeights(windows, layout, images.rows, weights, z, done);
  } else {
    Multiply(windows, images.rows, KernelSource::Plain(flat, weights), z, done);
  }
}

void ConvolutionError(MatrixView<const int8_t> d, const ConvolutionShape& shape,
                      const PackedMatrix<int8_t>& weights, MatrixView<int32_t> e,
                      std::span<int16_t> scratch) {
  CheckExtents(shape);
  CheckWeights(shape, weights);
  TALLY_CHECK(e.rows > 0 && e.columns == shape.ImageElements());
  TALLY_CHECK(d.rows == e.rows * shape.Positions() && d.columns == shape.units);
  TALLY_CHECK(shape.kernel_height * shape.kernel_width * shape.units <= kInt8DepthMax);
  if (shape.IsProduct()) {
    PackedGemmTransposed(RowsView<int8_t>(d), weights, {e.data, d.rows, shape.Depth()});
    return;
  }
  const size_t pixels = e.rows * shape.height * shape.width;
  const ConvolutionShape flat = shape.AlongWidth();
  const Windows windows = ErrorWindows(d.data, flat);
  const KernelSource source = KernelSource::Turned(flat, weights);
  const MatrixView<int32_t> sums = {e.data, pixels, shape.channels};
  const MinimalLayout minimal(windows, shape.channels);
  if (minimal.pays && scratch.size() >= minimal.Elements()) {
    MultiplyMinimally(windows, minimal, e.rows, source, sums, scratch, IgnoreRows);
  } else {
    Multiply(windows, e.rows, source, sums, IgnoreRows);
  }
}

}  // namespace tally::kernels
