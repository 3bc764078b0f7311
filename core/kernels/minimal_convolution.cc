#include "core/kernels/minimal_convolution.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/kernels/gemm_driver.h"
#include "core/kernels/minimal_table.h"

namespace tally::kernels {
namespace {

constexpr size_t kElements = 16;  // of a transformed tile
constexpr size_t kTilesMax = 64;  // of a block
constexpr size_t kChannelsMax = 1024;
constexpr size_t kGroup = PackedMatrix<int16_t>::kGroup;
constexpr size_t kLine = PackedMatrix<int16_t>::kLine;

constexpr int8_t kNoPixel[kChannelsMax] = {};

class MinimalPass {
 public:
  MinimalPass(const Windows& windows, const MinimalLayout& layout, const KernelSource& source,
              MatrixView<int32_t> z, std::span<int16_t> scratch)
      : windows_(windows),
        layout_(layout),
        source_(source),
        z_(z),
        taps_(scratch.data()),
        pixels_(scratch.data() + layout.TapElements()) {}

  // (2G) g (2G)^T, in a panel of its own for each element and 16 columns.
  void TransformTaps() {
    const size_t stride = layout_.lines * kLine;
    const size_t channels = windows_.channels;
    std::fill_n(taps_, layout_.TapElements(), int16_t{0});
    for (size_t panel = 0; panel < layout_.panels; ++panel) {
      for (size_t c = 0; c < channels; ++c) {
        int8_t rows[9][kTileColumns * 4] = {};
        int8_t taps[9][kTileColumns];
        for (size_t t = 0; t < 9; ++t) {
          source_.CopyRow(t * channels + c, panel, rows[t]);
          for (size_t j = 0; j < kTileColumns; ++j) taps[t][j] = rows[t][4 * j];
        }
        table_.transform_taps(taps, PanelOf(panel, 0) + c / kGroup * kLine + c % kGroup, stride);
      }
    }
  }

  // Rows of tiles [begin, end), counted over all images.
  void Run(size_t begin, size_t end) {
    TransformPixels(begin, end);
    for (size_t panel = 0; panel < layout_.panels; ++panel) {
      MultiplyPanel(panel, (end - begin) * layout_.tile_columns);
      TransformSums(panel, begin, end);
    }
  }

  size_t FirstPosition(size_t tile_row) const {
    const size_t image = tile_row / layout_.tile_rows;
    const size_t y = tile_row % layout_.tile_rows * 2;
    return (image * windows_.out_height + y) * windows_.out_width;
  }

 private:
  int16_t* PanelOf(size_t panel, size_t element) const {
    return taps_ + (panel * kElements + element) * layout_.lines * kLine;
  }
  int16_t* PixelsOf(size_t element, size_t tile) const {
    return pixels_ + (element * kTilesMax + tile) * layout_.pixel_stride;
  }

  void TransformPixels(size_t begin, size_t end) {
    size_t tile = 0;
    for (size_t row = begin; row < end; ++row) {
      const int8_t* image = windows_.images + row / layout_.tile_rows * windows_.ImageElements();
      const ptrdiff_t y = static_cast<ptrdiff_t>(row % layout_.tile_rows * 2) - windows_.top;
      for (size_t column = 0; column < layout_.tile_columns; ++column, ++tile) {
        const ptrdiff_t x = static_cast<ptrdiff_t>(column * 2) - windows_.left;
        const int8_t* pixels[kElements];
        for (ptrdiff_t i = 0; i < 16; ++i) pixels[i] = Pixel(image, y + i / 4, x + i % 4);
        table_.transform_pixels(pixels, windows_.channels, PixelsOf(0, tile),
                                kTilesMax * layout_.pixel_stride);
      }
    }
  }

  const int8_t* Pixel(const int8_t* image, ptrdiff_t y, ptrdiff_t x) const {
    const bool exists = y >= 0 && y < static_cast<ptrdiff_t>(windows_.height) && x >= 0 &&
                        x < static_cast<ptrdiff_t>(windows_.width);
    if (!exists) return kNoPixel;
    return image +
           (static_cast<size_t>(y) * windows_.width + static_cast<size_t>(x)) * windows_.channels;
  }

  void MultiplyPanel(size_t panel, size_t tiles) {
    const GemmTable& gemm = ActiveGemm();
    const TileKernel& kernel = gemm.int16;
    const Pieces pieces(tiles, kernel.rows_best);
    PanelBlock block = {};
    block.panel_bytes = layout_.lines * kTileLineBytes;
    block.panels = 1;
    block.lines = layout_.lines;
    block.last_columns = kTileColumns;
    const size_t row_bytes = layout_.pixel_stride * sizeof(int16_t);
    for (size_t element = 0; element < kElements; ++element) {
      block.first = reinterpret_cast<const std::byte*>(PanelOf(panel, element));
      for (size_t p = 0; p < pieces.count; ++p) {
        const size_t tile = pieces.Begin(p);
        RunTiles(gemm, kernel,
                 {reinterpret_cast<const std::byte*>(PixelsOf(element, tile)), row_bytes, 4,
                  kernel.left_odd_bytes, nullptr, pieces.End(p) - tile},
                 block, SumBlock<int32_t>{sums_[element][tile], kTileColumns, kTileColumns, false});
      }
    }
  }

  void TransformSums(size_t panel, size_t begin, size_t end) {
    const size_t columns = std::min(kTileColumns, source_.columns() - panel * kTileColumns);
    size_t tile = 0;
    for (size_t row = begin; row < end; ++row) {
      const bool second = row % layout_.tile_rows * 2 + 1 < windows_.out_height;
      int32_t* const to = z_.Row(FirstPosition(row)) + panel * kTileColumns;
      for (size_t column = 0; column < layout_.tile_columns; ++column, ++tile) {
        // Straight to where they belong, but for positions and columns that do not exist.
        alignas(64) int32_t spare[4][kTileColumns];
        int32_t* places[4];
        int32_t* out[4];
        for (size_t i = 0; i < 4; ++i) {
          const size_t x = column * 2 + i % 2;
          const bool exists = x < windows_.out_width && (i < 2 || second);
          places[i] = exists ? to + (i / 2 * windows_.out_width + x) * z_.columns : nullptr;
          out[i] = exists && columns == kTileColumns ? places[i] : spare[i];
        }
        table_.transform_sums(sums_[0][tile], kTilesMax * kTileColumns, out);
        for (size_t i = 0; i < 4 && columns < kTileColumns; ++i) {
          if (places[i] != nullptr) std::copy_n(out[i], columns, places[i]);
        }
      }
    }
  }

  const Windows& windows_;
  const MinimalLayout& layout_;
  const KernelSource& source_;
  MatrixView<int32_t> z_;
  int16_t* taps_;
  int16_t* pixels_;
  const MinimalTable& table_ = MinimalOf(ActiveLevel());
  alignas(64) int32_t sums_[kElements][kTilesMax][kTileColumns];
};

}  // namespace

MinimalLayout::MinimalLayout(const Windows& windows, size_t columns) {
  // Below this the transforms cost what they save.
  constexpr size_t kWorthwhile = 32;
  tile_columns = (windows.out_width + 1) / 2;
  tile_rows = (windows.out_height + 1) / 2;
  fits = windows.kernel_height == 3 && windows.kernel_width == 3 &&
         windows.channels <= kChannelsMax && tile_columns <= kTilesMax;
  if (!fits) return;
  pays = MinimalOf(ActiveLevel()).pays && windows.channels >= kWorthwhile &&
         windows.channels % kGroup == 0 && columns >= kWorthwhile;
  // In pieces of 48 tiles, which rows of 2, 4 and 6 divide.
  block_rows = std::max<size_t>(1, 48 / tile_columns);
  lines = (windows.channels + kGroup - 1) / kGroup;
  panels = (columns + kTileColumns - 1) / kTileColumns;
  // Rows a multiple of 64 bytes apart would compete for the same places of the first cache.
  pixel_stride = lines * kGroup + 16;
}

size_t MinimalLayout::TapElements() const { return panels * kElements * lines * kLine; }
size_t MinimalLayout::PixelElements() const { return kElements * kTilesMax * pixel_stride; }

void MultiplyMinimally(const Windows& windows, const MinimalLayout& layout, size_t images,
                       const KernelSource& source, MatrixView<int32_t> z,
                       std::span<int16_t> scratch, RowsDone done) {
  TALLY_CHECK(layout.fits && windows.channels % kGroup == 0);
  TALLY_CHECK(scratch.size() >= layout.Elements());
  TALLY_CHECK(reinterpret_cast<uintptr_t>(scratch.data()) % kTileLineBytes == 0);
  MinimalPass pass(windows, layout, source, z, scratch);
  pass.TransformTaps();
  const size_t positions = windows.out_height * windows.out_width;
  const size_t total = images * layout.tile_rows;
  const Pieces blocks(total, layout.block_rows);
  for (size_t b = 0; b < blocks.count; ++b) {
    pass.Run(blocks.Begin(b), blocks.End(b));
    const size_t first = pass.FirstPosition(blocks.Begin(b));
    const size_t last =
        blocks.End(b) == total ? images * positions : pass.FirstPosition(blocks.End(b));
    done(first, last - first);
  }
}

}  // namespace tally::kernels
