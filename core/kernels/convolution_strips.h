// Products of windows with panels, from strips of images. Private to core/kernels.
//
// The windows of one row of positions overlap, so that they are not copied one by one: some rows of
// an image are brought into words once, and tiles read each window where it lies, a kernel row (a
// segment) at a time. Kernel rows that lie above or below the image are left out.

#ifndef TALLY_CORE_KERNELS_CONVOLUTION_STRIPS_H_
#define TALLY_CORE_KERNELS_CONVOLUTION_STRIPS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/convolution_windows.h"
#include "core/kernels/gemm_driver.h"

namespace tally::kernels {

// How the rows of images lie in a strip.
struct StripLayout {
  // For these windows on the active level. `fits` is false if a strip of them would be too large.
  explicit StripLayout(const Windows& windows);

  bool fits = false;
  // Whether words begin at multiples of four bytes only, or at every byte.
  bool aligned = false;
  size_t row_lines = 0;   // words of a kernel row, the last one filled up
  size_t row_pieces = 0;  // that a row of positions is cut into
  size_t slots = 0;       // rows of an image that there is room for
  size_t slot_bytes = 0;
  size_t plane_bytes = 0;     // from even elements to odd ones, if words are split and aligned
  size_t position_bytes = 0;  // from a window to the next
};

// sums (+)= windows * panels for all positions of `images` images. A panel has row_lines lines for
// each kernel row. `sums.add` is false.
void MultiplyStrips(const Windows& windows, const StripLayout& layout, size_t images,
                    const PanelBlock& panels, const SumBlock<int32_t>& sums, RowsDone done);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_CONVOLUTION_STRIPS_H_
