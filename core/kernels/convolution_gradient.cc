// The gradient of a convolution's weights: windows^T * d.
//
// The sums run over positions, so that words of the left factor are four consecutive positions of
// one channel. A pixel is part of many windows; so that it is brought into this order once a kernel
// row and not once a weight, there is a word for every pixel as its first, and a tile starts at the
// word that its kernel column asks for. Positions of one row of the result are a segment.

#include <algorithm>
#include <cstring>

#include "core/arithmetic/check.h"
#include "core/kernels/convolution.h"
#include "core/kernels/convolution_windows.h"
#include "core/kernels/gemm_driver.h"

namespace tally::kernels {
namespace {

constexpr size_t kGroup = PackedMatrix<int8_t>::kGroup;

// Of a block of positions: lines of d in a panel, and panels.
constexpr size_t kLinesMax = 96;
constexpr size_t kPanelsMax = 16;
constexpr size_t kStripBytes = 80 * 1024;
// Kernel columns that share a strip.
constexpr size_t kKernelColumnsMax = 64;
constexpr size_t kPixelsMax = kGroup * kLinesMax + kKernelColumnsMax + 2 * kGroup;
constexpr size_t kRowsMax = kKernelColumnsMax * kTileColumns;

// Consecutive positions of one row of one image's result.
struct Stretch {
  size_t image;
  ptrdiff_t y;
  ptrdiff_t x;
  size_t count;
};

// The left factor of one stretch, kernel row and some kernel columns ("a slot").
struct Layout {
  size_t line_bytes;
  size_t plane_lines;  // 0 if words of consecutive pixels lie one after the other
  size_t slot_bytes;
};

struct Scratch {
  alignas(64) std::byte right[kPanelsMax * (kLinesMax + 1) * kTileLineBytes];
  alignas(64) std::byte slots[kStripBytes + kTileLineBytes];  // the last words are read by lines
  alignas(64) int8_t pixels[kPixelsMax * kTileColumns];
  alignas(64) int32_t starts[kRowsMax];
  Stretch stretches[kLinesMax];
  TileSegment segments[kLinesMax];
};

// What a tile's rows have in common: consecutive rows of the weights, from `row` on.
struct TileRows {
  size_t row;
  size_t count;
  size_t left_offset;  // in each slot
  ptrdiff_t odd_bytes;
};

template <class Sum>
class GradientPass {
 public:
  GradientPass(const Windows& windows, MatrixView<const int8_t> d, PanelSums<Sum>& sums)
      : windows_(windows),
        d_(d),
        sums_(sums),
        pieces_(windows.out_width, kGroup * kLinesMax),
        lines_((pieces_.End(0) + kGroup - 1) / kGroup) {}

  void Run() {
    std::fill(sums_.elements().begin(), sums_.elements().end(), Sum{0});
    const size_t kernel_columns = std::min(windows_.kernel_width, kKernelColumnsMax);
    layout_ = MakeLayout(kernel_columns);
    const size_t most = std::min(kLinesMax / lines_, kStripBytes / layout_.slot_bytes);
    TALLY_CHECK(most > 0);
    const size_t total = d_.rows / windows_.out_width * pieces_.count;
    const Pieces blocks(total, most);
    for (size_t b = 0; b < blocks.count; ++b) {
      List(blocks.Begin(b), blocks.End(b));
      for (size_t panel = 0; panel < sums_.panels(); panel += kPanelsMax) {
        PackErrors(panel);
        for (size_t r = 0; r < windows_.kernel_height; ++r) AddKernelRow(r);
      }
    }
  }

 private:
  bool InPlanes() const { return layout_.plane_lines != 0; }

  // With 16 channels or more, 16 words of one pixel are a line, and lines of pixels 4 apart lie
  // together, in one of four planes. With less, the words of all channels and pixels are in order.
  Layout MakeLayout(size_t kernel_columns) const {
    const size_t words = kernel_columns + kGroup * lines_;
    if (windows_.channels < kTileColumns) {
      const size_t bytes = words * windows_.channels * kGroup;
      return {kGroup * kGroup * windows_.channels, 0,
              (bytes + kTileLineBytes - 1) / kTileLineBytes * kTileLineBytes};
    }
    const size_t plane_lines = words / kGroup + 1;
    return {kTileLineBytes, plane_lines, kGroup * plane_lines * kTileLineBytes};
  }

  void List(size_t begin, size_t end) {
    count_ = end - begin;
    for (size_t i = 0; i < count_; ++i) {
      const size_t row = (begin + i) / pieces_.count;
      const size_t piece = (begin + i) % pieces_.count;
      const size_t x = pieces_.Begin(piece);
      scratch_.stretches[i] = {row / windows_.out_height,
                               static_cast<ptrdiff_t>(row % windows_.out_height),
                               static_cast<ptrdiff_t>(x), pieces_.End(piece) - x};
    }
  }

  // A stretch is `lines_` lines of each panel, those that it does not fill are zero.
  void PackErrors(size_t panel) {
    const TileKernel& kernel = table_.int8;
    right_.first = scratch_.right;
    right_.lines = lines_;
    right_.panel_bytes = (count_ * lines_ + 1) * kTileLineBytes;
    right_.panels = std::min(kPanelsMax, sums_.panels() - panel);
    right_.last_columns =
        std::min(kTileColumns, d_.columns - (panel + right_.panels - 1) * kTileColumns);
    panel_ = panel;
    for (size_t i = 0; i < count_; ++i) {
      const Stretch& stretch = scratch_.stretches[i];
      const size_t used = (stretch.count + kGroup - 1) / kGroup;
      const size_t position =
          (stretch.image * windows_.out_height + static_cast<size_t>(stretch.y)) *
              windows_.out_width +
          static_cast<size_t>(stretch.x);
      for (size_t p = 0; p < right_.panels; ++p) {
        const size_t column = (panel + p) * kTileColumns;
        std::byte* lines = scratch_.right + p * right_.panel_bytes + i * lines_ * kTileLineBytes;
        kernel.pack({reinterpret_cast<const std::byte*>(d_.Row(position) + column), d_.columns,
                     stretch.count, std::min(kTileColumns, d_.columns - column)},
                    lines);
        std::memset(lines + used * kTileLineBytes, 0, (lines_ - used) * kTileLineBytes);
      }
    }
  }

  void AddKernelRow(size_t r) {
    for (size_t c = 0; c < windows_.kernel_width; c += kKernelColumnsMax) {
      const size_t columns = std::min(kKernelColumnsMax, windows_.kernel_width - c);
      const size_t row = (r * windows_.kernel_width + c) * windows_.channels;
      if (!InPlanes()) {
        FillSlots(r, c, columns, 0, windows_.channels);
        if (segment_count_ > 0) AddConsecutive(row, columns * windows_.channels);
        continue;
      }
      const Pieces groups(windows_.channels, kTileColumns);
      for (size_t g = 0; g < groups.count; ++g) {
        const size_t channel = groups.Begin(g);
        const size_t channels = groups.End(g) - channel;
        FillSlots(r, c, columns, channel, channels);
        for (size_t i = 0; i < columns && segment_count_ > 0; ++i) {
          AddColumn(row + i * windows_.channels + channel, channels, i);
        }
      }
    }
  }

  // Slots and segments for the stretches that see a row of their image.
  void FillSlots(size_t r, size_t c, size_t columns, size_t channel, size_t channels) {
    const size_t words = columns + kGroup * lines_;
    segment_count_ = 0;
    for (size_t i = 0; i < count_; ++i) {
      const Stretch& stretch = scratch_.stretches[i];
      const ptrdiff_t y = stretch.y + static_cast<ptrdiff_t>(r) - windows_.top;
      if (y < 0 || y >= static_cast<ptrdiff_t>(windows_.height)) continue;
      const int8_t* row = windows_.images + stretch.image * windows_.ImageElements() +
                          static_cast<size_t>(y) * windows_.RowElements();
      const ptrdiff_t x = stretch.x + static_cast<ptrdiff_t>(c) - windows_.left;
      std::byte* slot = scratch_.slots + segment_count_ * layout_.slot_bytes;
      if (InPlanes()) {
        CopyCells(row + channel, x, channels);
        FillPlanes(slot);
      } else {
        CopyClipped(row, windows_.RowElements(), x * static_cast<ptrdiff_t>(channels),
                    (words + kGroup - 1) * channels, scratch_.pixels);
        MakeWords(scratch_.pixels, words * channels, channels, table_.int8.split_lines != nullptr,
                  slot);
      }
      scratch_.segments[segment_count_++] = {static_cast<size_t>(slot - scratch_.slots),
                                             i * lines_ * kTileLineBytes};
    }
  }

  // Some channels of the pixels from `x` on, 16 bytes each.
  void CopyCells(const int8_t* row, ptrdiff_t x, size_t channels) {
    const size_t cells = kGroup * layout_.plane_lines + kGroup - 1;
    int8_t* cell = scratch_.pixels;
    for (size_t i = 0; i < cells; ++i, ++x, cell += kTileColumns) {
      const bool exists = x >= 0 && x < static_cast<ptrdiff_t>(windows_.width);
      const int8_t* pixel = row + x * static_cast<ptrdiff_t>(windows_.channels);
      if (exists && channels == kTileColumns) {
        std::memcpy(cell, pixel, kTileColumns);
      } else {
        std::memset(cell, 0, kTileColumns);
        if (exists) std::memcpy(cell, pixel, channels);
      }
    }
  }

  // Plane f has the words of the pixels f, f + 4, and so on. Where words are split, the odd
  // elements of one plane are the even ones of the next.
  void FillPlanes(std::byte* slot) {
    const TileKernel& kernel = table_.int8;
    const size_t plane_bytes = layout_.plane_lines * kTileLineBytes;
    const size_t step = kernel.split_lines == nullptr ? 1 : 2;
    for (size_t f = 0; f < kGroup; f += step) {
      std::byte* plane = slot + f * plane_bytes;
      kernel.pack({reinterpret_cast<const std::byte*>(scratch_.pixels + f * kTileColumns),
                   kTileColumns, kGroup * layout_.plane_lines, kTileColumns},
                  plane);
      if (step == 2) kernel.split_lines(layout_.plane_lines, plane, plane_bytes);
    }
  }

  // Channels of all kernel columns, one after the other.
  void AddConsecutive(size_t row, size_t count) {
    if (table_.int8.add_starts != nullptr) {
      std::fill_n(scratch_.starts, count, 0);
      for (size_t s = 0; s < segment_count_; ++s) {
        const std::byte* line = scratch_.slots + scratch_.segments[s].left_bytes;
        for (size_t l = 0; l < lines_; ++l, line += layout_.line_bytes) {
          for (size_t i = 0; i < count; i += kTileColumns) {
            table_.int8.add_starts(1, line + kGroup * i, scratch_.starts + i);
          }
        }
      }
    }
    AddTiles({row, count, 0, static_cast<ptrdiff_t>(kGroup * windows_.channels)});
  }

  // A group of channels of the kernel column that is `column` after the slots' first.
  void AddColumn(size_t row, size_t channels, size_t column) {
    const size_t begin = PlaneOffset(column);
    if (table_.int8.add_starts != nullptr) {
      std::fill_n(scratch_.starts, kTileColumns, 0);
      for (size_t s = 0; s < segment_count_; ++s) {
        table_.int8.add_starts(lines_, scratch_.slots + scratch_.segments[s].left_bytes + begin,
                               scratch_.starts);
      }
    }
    AddTiles({row, channels, begin,
              static_cast<ptrdiff_t>(PlaneOffset(column + 1)) - static_cast<ptrdiff_t>(begin)});
  }

  size_t PlaneOffset(size_t pixel) const {
    return (pixel % kGroup * layout_.plane_lines + pixel / kGroup) * kTileLineBytes;
  }

  void AddTiles(const TileRows& rows) {
    const TileKernel& kernel = table_.int8;
    const Pieces tiles(rows.count, kernel.rows_best);
    for (size_t t = 0; t < tiles.count; ++t) {
      const size_t first = tiles.Begin(t);
      RunTiles(table_, kernel,
               {scratch_.slots + rows.left_offset + kGroup * first, kGroup, layout_.line_bytes,
                rows.odd_bytes, scratch_.starts + first, tiles.End(t) - first, scratch_.segments,
                segment_count_},
               right_,
               SumBlock<Sum>{sums_.Row(panel_, rows.row + first), kTileColumns,
                             sums_.panel_stride(), true});
    }
  }

  const Windows& windows_;
  MatrixView<const int8_t> d_;
  PanelSums<Sum>& sums_;
  const GemmTable& table_ = ActiveGemm();
  const Pieces pieces_;  // of a row of the result
  const size_t lines_;   // of a stretch
  Layout layout_ = {};
  size_t count_ = 0;  // stretches
  size_t segment_count_ = 0;
  PanelBlock right_ = {};
  size_t panel_ = 0;
  Scratch scratch_;
};

template <class Sum>
void Gradient(MatrixView<const int8_t> images, MatrixView<const int8_t> d,
              const ConvolutionShape& shape, PanelSums<Sum>& sums) {
  CheckExtents(shape);
  TALLY_CHECK(images.rows > 0 && images.columns == shape.ImageElements());
  TALLY_CHECK(d.rows == images.rows * shape.Positions() && d.columns == shape.units);
  TALLY_CHECK(sums.rows() == shape.Depth() && sums.columns() == shape.units);
  if (shape.IsProduct()) {
    GradientGemm(RowsView<int8_t>(images.data, d.rows, shape.Depth(), shape.Depth()),
                 RowsView<int8_t>(d), sums);
    return;
  }
  const Windows windows = ImageWindows(images.data, shape.AlongWidth());
  GradientPass<Sum>(windows, d, sums).Run();
}

}  // namespace

void ConvolutionGradient(MatrixView<const int8_t> images, MatrixView<const int8_t> d,
                         const ConvolutionShape& shape, PanelSums<int32_t>& sums) {
  TALLY_CHECK(d.rows <= kInt8DepthMax);
  Gradient(images, d, shape, sums);
}

void ConvolutionGradient(MatrixView<const int8_t> images, MatrixView<const int8_t> d,
                         const ConvolutionShape& shape, PanelSums<int64_t>& sums) {
  Gradient(images, d, shape, sums);
}

}  // namespace tally::kernels
