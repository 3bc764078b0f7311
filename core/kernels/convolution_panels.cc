#include "core/kernels/convolution_panels.h"

#include <algorithm>

namespace tally::kernels {
namespace {

constexpr size_t kGroup = PackedMatrix<int8_t>::kGroup;

// Where row `row`, counted from the first line's first, has its lanes.
int8_t* LanesOf(int8_t* lines, size_t row) {
  return lines + row / kGroup * kTileLineBytes + row % kGroup;
}

}  // namespace

void KernelSource::CopyRow(size_t row, size_t panel, int8_t* lanes) const {
  const size_t column = panel * kTileColumns;
  const size_t count = std::min(kTileColumns, columns() - column);
  if (!turned_) {
    const int8_t* from = &weights_.At(row, column);
    for (size_t j = 0; j < count; ++j) lanes[j * kGroup] = from[j * kGroup];
    return;
  }
  const size_t place = shape_.kernel_height * shape_.kernel_width - 1 - row / shape_.units;
  const size_t unit = row % shape_.units;
  const size_t first = place * shape_.channels + column;
  for (size_t j = 0; j < count; ++j) lanes[j * kGroup] = weights_.At(first + j, unit);
}

PanelBlock MadePanels::Block(size_t first, size_t last, size_t lines) const {
  PanelBlock block = {};
  block.first = reinterpret_cast<const std::byte*>(lines_);
  block.panel_bytes = (lines + 1) * kTileLineBytes;
  block.panels = last - first;
  block.lines = lines;
  block.last_columns = std::min(kTileColumns, source_.columns() - (last - 1) * kTileColumns);
  return block;
}

PanelBlock MadePanels::MakeKernelRows(size_t first, size_t last, size_t row_lines) {
  const PanelBlock block = Block(first, last, source_.kernel_height() * row_lines);
  for (size_t p = first; p < last; ++p) {
    int8_t* lines = lines_ + (p - first) * block.panel_bytes;
    std::fill_n(lines, block.lines * kTileLineBytes, int8_t{0});
    for (size_t r = 0; r < source_.kernel_height(); ++r) {
      for (size_t i = 0; i < source_.kernel_row(); ++i) {
        source_.CopyRow(r * source_.kernel_row() + i, p,
                        LanesOf(lines + r * row_lines * kTileLineBytes, i));
      }
    }
  }
  return block;
}

PanelBlock MadePanels::MakeRows(size_t first, size_t last, size_t begin, size_t end) {
  const PanelBlock block = Block(first, last, (end - begin + kGroup - 1) / kGroup);
  for (size_t p = first; p < last; ++p) {
    int8_t* lines = lines_ + (p - first) * block.panel_bytes;
    std::fill_n(lines, block.lines * kTileLineBytes, int8_t{0});
    for (size_t row = begin; row < end; ++row) source_.CopyRow(row, p, LanesOf(lines, row - begin));
  }
  return block;
}

}  // namespace tally::kernels
