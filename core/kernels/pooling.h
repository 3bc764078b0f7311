// Max-pooling of int8 images, and the way back of errors through it.
//
// Windows lie side by side: the stride is the size of a window. Rows and columns that fill no
// window are dropped. No allocation. Thread-safe for disjoint results.

#ifndef TALLY_CORE_KERNELS_POOLING_H_
#define TALLY_CORE_KERNELS_POOLING_H_

#include <cstddef>
#include <cstdint>

#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// Images as in convolution.h. No extent is 0, and a window fits into the image.
struct PoolingShape {
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  size_t window_height = 0;
  size_t window_width = 0;  // a window has at most 256 places

  constexpr size_t OutHeight() const { return height / window_height; }
  constexpr size_t OutWidth() const { return width / window_width; }
  constexpr size_t ImageElements() const { return height * width * channels; }
  constexpr size_t OutElements() const { return OutHeight() * OutWidth() * channels; }
};

// out = the largest element of each window and channel, and where it was: the place in the window,
// counted row by row from 0. The first of equal ones wins.
//
//   images [n, ImageElements]   out, places [n, OutElements]
void MaxPool(MatrixView<const int8_t> images, const PoolingShape& shape, MatrixView<int8_t> out,
             MatrixView<uint8_t> places);
// Without the places, for inference.
void MaxPool(MatrixView<const int8_t> images, const PoolingShape& shape, MatrixView<int8_t> out);

// e = d at the places that were the largest, and 0 elsewhere.
//
//   d, places [n, OutElements]   e [n, ImageElements]
void MaxPoolError(MatrixView<const int8_t> d, MatrixView<const uint8_t> places,
                  const PoolingShape& shape, MatrixView<int8_t> e);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_POOLING_H_
