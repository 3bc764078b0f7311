// Convolutions with 3x3 kernels in 16 products a tile of 2x2 positions instead of 36, exact.
// Private to core/kernels.
//
// Source: Winograd, "Arithmetic Complexity of Computations" (1980), F(2x2, 3x3) as in Lavin and
// Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv:1509.09308, section 4.1: each
// tile is A^T [(G g G^T) * (B^T d B)] A. G has halves; with 2G in its place everything is an
// integer and the result four times too large, a multiple of 4. Pixels become int16 of at most 512,
// taps of at most 1,152: with 1,024 channels at most, sums stay below 2^30.

#ifndef TALLY_CORE_KERNELS_MINIMAL_CONVOLUTION_H_
#define TALLY_CORE_KERNELS_MINIMAL_CONVOLUTION_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/kernels/convolution_panels.h"
#include "core/kernels/convolution_windows.h"

namespace tally::kernels {

// How the scratch memory is cut up.
struct MinimalLayout {
  MinimalLayout(const Windows& windows, size_t columns);

  bool fits = false;        // kernel, channels and width are ones that this is for
  bool pays = false;        // and it is faster on the active level
  size_t tile_columns = 0;  // tiles in two rows of positions
  size_t tile_rows = 0;     // of an image
  size_t block_rows = 0;    // rows of tiles that are transformed at a time
  size_t lines = 0;         // of a panel
  size_t panels = 0;
  size_t pixel_stride = 0;  // int16 from a transformed tile to the next

  size_t TapElements() const;    // int16
  size_t PixelElements() const;  // int16
  size_t Elements() const { return TapElements() + PixelElements(); }
};

// z = windows * source for all positions of `images` images. `scratch` has layout.Elements(), at a
// multiple of 64 bytes.
void MultiplyMinimally(const Windows& windows, const MinimalLayout& layout, size_t images,
                       const KernelSource& source, MatrixView<int32_t> z,
                       std::span<int16_t> scratch, RowsDone done);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_MINIMAL_CONVOLUTION_H_
