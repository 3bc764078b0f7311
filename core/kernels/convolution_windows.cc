#include "core/kernels/convolution_windows.h"

#include <algorithm>
#include <cstring>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

// Columns [begin, end) of row `r` of the window whose top left pixel is at (y, x).
void CopyWindowRow(const Windows& windows, const int8_t* image, ptrdiff_t y, ptrdiff_t x,
                   size_t begin, size_t end, int8_t* out) {
  if (y < 0 || y >= static_cast<ptrdiff_t>(windows.height)) {
    std::memset(out, 0, end - begin);
    return;
  }
  CopyClipped(image + static_cast<size_t>(y) * windows.RowElements(), windows.RowElements(),
              x * static_cast<ptrdiff_t>(windows.channels) + static_cast<ptrdiff_t>(begin),
              end - begin, out);
}

}  // namespace

void CopyClipped(const int8_t* row, size_t elements, ptrdiff_t from, size_t count, int8_t* out) {
  const ptrdiff_t to = from + static_cast<ptrdiff_t>(count);
  const ptrdiff_t first = std::clamp<ptrdiff_t>(0, from, to);
  const ptrdiff_t last = std::clamp(static_cast<ptrdiff_t>(elements), first, to);
  std::memset(out, 0, static_cast<size_t>(first - from));
  std::memcpy(out + (first - from), row + first, static_cast<size_t>(last - first));
  std::memset(out + (last - from), 0, static_cast<size_t>(to - last));
}

void MakeWords(const int8_t* __restrict elements, size_t count, size_t step, bool split,
               std::byte* words) {
  if (split) {
    int16_t* __restrict pairs = reinterpret_cast<int16_t*>(words);
    for (size_t i = 0; i < count; ++i) {
      pairs[2 * i] = elements[i];
      pairs[2 * i + 1] = elements[i + 2 * step];
    }
    return;
  }
  int8_t* __restrict fours = reinterpret_cast<int8_t*>(words);
  for (size_t i = 0; i < count; ++i) {
    for (size_t k = 0; k < 4; ++k) fours[4 * i + k] = elements[i + k * step];
  }
}

void CheckExtents(const ConvolutionShape& shape) {
  TALLY_CHECK(shape.height > 0 && shape.width > 0 && shape.channels > 0 && shape.units > 0);
  TALLY_CHECK(shape.kernel_height > 0 && shape.kernel_width > 0);
  TALLY_CHECK(shape.kernel_height <= shape.height + 2 * shape.padding_height);
  TALLY_CHECK(shape.kernel_width <= shape.width + 2 * shape.padding_width);
}

void Windows::Copy(size_t first, size_t count, size_t begin, size_t end, int8_t* out,
                   size_t stride) const {
  const size_t positions = out_height * out_width;
  const size_t row_elements = kernel_width * channels;
  for (size_t i = first; i < first + count; ++i) {
    const int8_t* image = images + i / positions * ImageElements();
    const auto y = static_cast<ptrdiff_t>(i % positions / out_width) - top;
    const auto x = static_cast<ptrdiff_t>(i % out_width) - left;
    for (size_t column = begin; column < end;) {
      const size_t r = column / row_elements;
      const size_t stop = std::min(end, (r + 1) * row_elements);
      CopyWindowRow(*this, image, y + static_cast<ptrdiff_t>(r), x, column - r * row_elements,
                    stop - r * row_elements, out + (column - begin));
      column = stop;
    }
    out += stride;
  }
}

Windows ImageWindows(const int8_t* images, const ConvolutionShape& shape) {
  Windows windows;
  windows.images = images;
  windows.height = shape.height;
  windows.width = shape.width;
  windows.channels = shape.channels;
  windows.kernel_height = shape.kernel_height;
  windows.kernel_width = shape.kernel_width;
  windows.top = static_cast<ptrdiff_t>(shape.padding_height);
  windows.left = static_cast<ptrdiff_t>(shape.padding_width);
  windows.out_height = shape.OutHeight();
  windows.out_width = shape.OutWidth();
  return windows;
}

Windows ErrorWindows(const int8_t* d, const ConvolutionShape& shape) {
  Windows windows;
  windows.images = d;
  windows.height = shape.OutHeight();
  windows.width = shape.OutWidth();
  windows.channels = shape.units;
  windows.kernel_height = shape.kernel_height;
  windows.kernel_width = shape.kernel_width;
  windows.top = static_cast<ptrdiff_t>(shape.kernel_height) - 1 -
                static_cast<ptrdiff_t>(shape.padding_height);
  windows.left =
      static_cast<ptrdiff_t>(shape.kernel_width) - 1 - static_cast<ptrdiff_t>(shape.padding_width);
  windows.out_height = shape.height;
  windows.out_width = shape.width;
  return windows;
}

}  // namespace tally::kernels
