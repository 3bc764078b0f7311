#include "core/kernels/convolution_strips.h"

#include <algorithm>
#include <cstring>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

constexpr size_t kGroup = PackedMatrix<int8_t>::kGroup;
constexpr size_t kStripBytes = 48 * 1024;
constexpr size_t kSlotsMax = 32;
constexpr size_t kPositionsMax = 256;  // of one piece of a row

constexpr size_t RoundUp(size_t bytes) {
  return (bytes + kTileLineBytes - 1) / kTileLineBytes * kTileLineBytes;
}

// Some positions of one row of results.
struct Piece {
  size_t image;
  size_t x;
  size_t count;
};

class StripPass {
 public:
  StripPass(const Windows& windows, const StripLayout& layout, const PanelBlock& panels,
            const SumBlock<int32_t>& sums, RowsDone done)
      : windows_(windows), layout_(layout), panels_(panels), sums_(sums), done_(done) {
    panels_.lines = layout.row_lines;
  }

  // Rows [begin, end) of the results of a piece; the strip has room for what they see.
  void Run(const Piece& piece, size_t begin, size_t end) {
    const size_t first = ImageRow(begin);
    const size_t last = ImageRow(end - 1 + windows_.kernel_height);
    for (size_t row = first; row < last; ++row) FillSlot(piece, row, row - first);
    for (size_t y = begin; y < end; ++y) MultiplyRow(piece, y, first);
  }

 private:
  // The row of the image that is `y` rows below the top of the first window, or the nearest one; an
  // end of a range.
  size_t ImageRow(size_t y) const {
    const ptrdiff_t row = static_cast<ptrdiff_t>(y) - windows_.top;
    return static_cast<size_t>(
        std::clamp<ptrdiff_t>(row, 0, static_cast<ptrdiff_t>(windows_.height)));
  }

  void FillSlot(const Piece& piece, size_t row, size_t slot) {
    const size_t channels = windows_.channels;
    const size_t bytes = (piece.count + windows_.kernel_width - 1) * channels;
    const int8_t* from =
        windows_.images + piece.image * windows_.ImageElements() + row * windows_.RowElements();
    const ptrdiff_t begin =
        (static_cast<ptrdiff_t>(piece.x) - windows_.left) * static_cast<ptrdiff_t>(channels);
    std::byte* to = slots_ + slot * layout_.slot_bytes;
    const bool split = kernel_.split_lines != nullptr;
    int8_t* elements = layout_.aligned ? reinterpret_cast<int8_t*>(to) : row_;
    CopyClipped(from, windows_.RowElements(), begin, bytes, elements);
    if (!layout_.aligned) {
      std::memset(row_ + bytes, 0, 2 * kGroup);
      MakeWords(row_, bytes + 1, 1, split, to);
    } else if (split) {
      kernel_.split_lines(RoundUp(bytes) / kTileLineBytes, to, layout_.plane_bytes);
    }
    if (kernel_.add_starts != nullptr) SumWindows(elements, piece.count, sums_of_rows_[slot]);
  }

  // The sums of what tiles read of a kernel row, for each position.
  void SumWindows(const int8_t* elements, size_t count, int32_t* window_sums) const {
    const size_t bytes = layout_.row_lines * kGroup;
    int32_t sum = 0;
    for (size_t i = 0; i < bytes; ++i) sum += elements[i];
    for (size_t x = 0; x < count; ++x) {
      window_sums[x] = sum;
      if (x + 1 == count) return;
      const int8_t* leaves = elements + x * windows_.channels;
      const int8_t* enters = leaves + bytes;
      for (size_t i = 0; i < windows_.channels; ++i) sum += enters[i] - leaves[i];
    }
  }

  void MultiplyRow(const Piece& piece, size_t y, size_t first_row) {
    const size_t begin = ImageRow(y);
    const size_t end = ImageRow(y + windows_.kernel_height);
    const size_t position = (piece.image * windows_.out_height + y) * windows_.out_width + piece.x;
    SumBlock<int32_t> sums = sums_;
    sums.first += position * sums_.row_stride;
    if (begin == end) {
      ClearSums(sums, piece.count);
    } else {
      const size_t kernel_row =
          static_cast<size_t>(static_cast<ptrdiff_t>(begin) + windows_.top) - y;
      for (size_t i = 0; i < end - begin; ++i) {
        segments_[i] = {(begin + i - first_row) * layout_.slot_bytes,
                        (kernel_row + i) * layout_.row_lines * kTileLineBytes};
      }
      if (kernel_.add_starts != nullptr) SumStarts(begin - first_row, end - first_row, piece.count);
      RunTilesOfRow(piece.count, end - begin, sums);
    }
    done_(position, piece.count);
  }

  void SumStarts(size_t first_slot, size_t last_slot, size_t count) {
    std::fill_n(starts_, count, 0);
    for (size_t slot = first_slot; slot < last_slot; ++slot) {
      for (size_t x = 0; x < count; ++x) starts_[x] -= 128 * sums_of_rows_[slot][x];
    }
  }

  void RunTilesOfRow(size_t count, size_t segments, const SumBlock<int32_t>& sums) {
    const Pieces tiles(count, kernel_.rows_best);
    const size_t line_bytes = layout_.aligned ? kGroup : kGroup * kGroup;
    const ptrdiff_t odd_bytes =
        static_cast<ptrdiff_t>(layout_.aligned ? layout_.plane_bytes : kGroup);
    for (size_t t = 0; t < tiles.count; ++t) {
      const size_t x = tiles.Begin(t);
      SumBlock<int32_t> tile = sums;
      tile.first += x * sums.row_stride;
      RunTiles(table_, kernel_,
               {slots_ + x * layout_.position_bytes, layout_.position_bytes, line_bytes, odd_bytes,
                starts_ + x, tiles.End(t) - x, segments_, segments},
               panels_, tile);
    }
  }

  void ClearSums(const SumBlock<int32_t>& sums, size_t count) const {
    for (size_t x = 0; x < count; ++x) {
      for (size_t p = 0; p < panels_.panels; ++p) {
        const size_t columns = p + 1 < panels_.panels ? kTileColumns : panels_.last_columns;
        std::fill_n(sums.first + x * sums.row_stride + p * sums.panel_stride, columns, 0);
      }
    }
  }

  const Windows& windows_;
  const StripLayout& layout_;
  PanelBlock panels_;
  const SumBlock<int32_t>& sums_;
  RowsDone done_;
  const GemmTable& table_ = ActiveGemm();
  const TileKernel& kernel_ = table_.int8;
  TileSegment segments_[kSlotsMax];
  alignas(64) std::byte slots_[kStripBytes];
  alignas(64) int8_t row_[kStripBytes / kGroup + 2 * kGroup];
  int32_t starts_[kPositionsMax];
  int32_t sums_of_rows_[kSlotsMax][kPositionsMax];
};

}  // namespace

StripLayout::StripLayout(const Windows& windows) {
  const bool split = ActiveGemm().int8.split_lines != nullptr;
  const size_t channels = windows.channels;
  aligned = channels % kGroup == 0;
  row_lines = (windows.kernel_width * channels + kGroup - 1) / kGroup;
  position_bytes = aligned ? channels : kGroup * channels;
  // A row of positions in as few pieces as there is room for; thin ones would be a waste.
  constexpr size_t kPieceMin = 16;
  size_t most = std::min(windows.out_width, kPositionsMax);
  for (;; most = (most + 1) / 2) {
    row_pieces = Pieces(windows.out_width, most).count;
    const size_t bytes = (most + windows.kernel_width - 1) * channels;
    plane_bytes = RoundUp(bytes);
    // One word more for the odd elements of the last one.
    slot_bytes = aligned ? (split ? 2 : 1) * plane_bytes : RoundUp(kGroup * (bytes + 1));
    slots = std::min(kSlotsMax, kStripBytes / slot_bytes);
    fits = slots >= std::min(windows.kernel_height, windows.height);
    if (fits || most <= kPieceMin) return;
  }
}

void MultiplyStrips(const Windows& windows, const StripLayout& layout, size_t images,
                    const PanelBlock& panels, const SumBlock<int32_t>& sums, RowsDone done) {
  TALLY_CHECK(layout.fits && !sums.add);
  StripPass pass(windows, layout, panels, sums, done);
  const Pieces pieces(windows.out_width,
                      layout.row_pieces == 1
                          ? windows.out_width
                          : (windows.out_width + layout.row_pieces - 1) / layout.row_pieces);
  const size_t rows = layout.slots >= windows.height ? windows.out_height
                                                     : layout.slots - windows.kernel_height + 1;
  const Pieces blocks(windows.out_height, rows);
  for (size_t image = 0; image < images; ++image) {
    for (size_t b = 0; b < blocks.count; ++b) {
      for (size_t p = 0; p < pieces.count; ++p) {
        pass.Run({image, pieces.Begin(p), pieces.End(p) - pieces.Begin(p)}, blocks.Begin(b),
                 blocks.End(b));
      }
    }
  }
}

}  // namespace tally::kernels
