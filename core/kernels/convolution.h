// Convolutions of int8 images and their two gradients, exact for every shape and value.
//
// Stride 1, with zeros around the images. All levels give the same bits (level.h). None allocates;
// windows of images are never laid out as a whole matrix ("implicit im2col"), scratch of up to
// 200 KiB is on the stack. Thread-safe for disjoint results.

#ifndef TALLY_CORE_KERNELS_CONVOLUTION_H_
#define TALLY_CORE_KERNELS_CONVOLUTION_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/kernels/packed_gemm.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/panel_sums.h"
#include "core/tensor/matrix_view.h"

namespace tally::kernels {

// An image is a row of height * width * channels elements, channels innermost (NHWC). Its result
// has a row of `units` for each position of the kernel, positions in row-major order. Signals of
// one dimension have height 1.
//
// No extent is 0, and the kernel fits into the padded image.
struct ConvolutionShape {
  size_t height = 0;
  size_t width = 0;
  size_t channels = 0;
  size_t kernel_height = 0;
  size_t kernel_width = 0;
  size_t padding_height = 0;  // rows of zeros above, and as many below
  size_t padding_width = 0;   // columns of zeros left, and as many right
  size_t units = 0;

  constexpr size_t OutHeight() const { return height + 2 * padding_height - kernel_height + 1; }
  constexpr size_t OutWidth() const { return width + 2 * padding_width - kernel_width + 1; }
  constexpr size_t Positions() const { return OutHeight() * OutWidth(); }
  constexpr size_t ImageElements() const { return height * width * channels; }
  // Rows of the weights. Row (r * kernel_width + c) * channels + i meets row r and column c of the
  // window, channel i.
  constexpr size_t Depth() const { return kernel_height * kernel_width * channels; }
  // The same convolution with height 1 if the width is 1: positions then lie in one row, which is
  // what kernels work along.
  constexpr ConvolutionShape AlongWidth() const {
    if (width != 1 || kernel_width != 1 || padding_width != 0) return *this;
    return {1, height, channels, 1, kernel_height, 0, padding_height, units};
  }
  // Whether windows do not overlap and lie one after the other: a kernel of one pixel, or of the
  // whole image. Then a convolution is a product of matrices.
  constexpr bool IsProduct() const {
    return padding_height == 0 && padding_width == 0 &&
           ((kernel_height == 1 && kernel_width == 1) || Positions() == 1);
  }
};

// Memory, at a multiple of 64 bytes, with which Convolve and ConvolutionError of this shape are up
// to twice as fast on the active level; 0 if none helps. Results are the same bits without.
size_t ConvolutionScratchElements(const ConvolutionShape& shape);

// z = windows(images) * w.
//
//   images [n, ImageElements]   w [Depth, units]   z [n * Positions, units or more]
//
// Columns that z has beyond the units are left alone. Depth is at most kInt8DepthMax. `done` is
// told of rows of z.
void Convolve(MatrixView<const int8_t> images, const ConvolutionShape& shape,
              const PackedMatrix<int8_t>& weights, MatrixView<int32_t> z,
              RowsDone done = IgnoreRows, std::span<int16_t> scratch = {});

// The gradient with respect to the images: e[i] is the sum of d * w over all positions whose window
// holds element i of the image.
//
//   d [n * Positions, units]   w [Depth, units]   e [n, ImageElements]
//
// kernel_height * kernel_width * units is at most kInt8DepthMax.
void ConvolutionError(MatrixView<const int8_t> d, const ConvolutionShape& shape,
                      const PackedMatrix<int8_t>& weights, MatrixView<int32_t> e,
                      std::span<int16_t> scratch = {});

// The gradient with respect to the weights: sums = windows(images)^T * d.
//
//   images [n, ImageElements]   d [n * Positions, units]   sums [Depth, units]
//
// In int32: n * Positions is at most kInt8DepthMax.
void ConvolutionGradient(MatrixView<const int8_t> images, MatrixView<const int8_t> d,
                         const ConvolutionShape& shape, PanelSums<int32_t>& sums);
void ConvolutionGradient(MatrixView<const int8_t> images, MatrixView<const int8_t> d,
                         const ConvolutionShape& shape, PanelSums<int64_t>& sums);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_CONVOLUTION_H_
