// The rows of a convolution's left factor, made when they are needed. Private to core/kernels.

#ifndef TALLY_CORE_KERNELS_CONVOLUTION_WINDOWS_H_
#define TALLY_CORE_KERNELS_CONVOLUTION_WINDOWS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/convolution.h"

namespace tally::kernels {

// Elements [from, from + count) of a row; zeros where it has none.
void CopyClipped(const int8_t* row, size_t elements, ptrdiff_t from, size_t count, int8_t* out);

// A word for each of `count` elements: the element and those 1, 2 and 3 steps further on; or, for
// levels that want words split, int16 of the element and the one 2 steps further on.
void MakeWords(const int8_t* elements, size_t count, size_t step, bool split, std::byte* words);

// Aborts unless every extent is positive and the kernel fits.
void CheckExtents(const ConvolutionShape& shape);

// The windows of some images, position after position and image after image. Column
// (r * kernel_width + c) * channels + i of a window is channel i of the pixel in its row r and
// column c, or 0 where there is none.
struct Windows {
  const int8_t* images = nullptr;
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  size_t kernel_height = 0;
  size_t kernel_width = 0;
  // How far the first window begins above and left of the image; negative: below and right of its
  // first pixel.
  ptrdiff_t top = 0;
  ptrdiff_t left = 0;
  size_t out_height = 0;
  size_t out_width = 0;

  size_t RowElements() const { return width * channels; }
  size_t ImageElements() const { return height * RowElements(); }
  size_t Depth() const { return kernel_height * kernel_width * channels; }

  // Columns [begin, end) of the windows [first, first + count), `stride` elements apart.
  void Copy(size_t first, size_t count, size_t begin, size_t end, int8_t* out, size_t stride) const;
};

// Of the images of a convolution.
Windows ImageWindows(const int8_t* images, const ConvolutionShape& shape);

// Of errors d, taken for images with a channel a unit: their product with the kernel turned by 180
// degrees is the error of the image. A position of these windows is a pixel of the image.
Windows ErrorWindows(const int8_t* d, const ConvolutionShape& shape);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_CONVOLUTION_WINDOWS_H_
