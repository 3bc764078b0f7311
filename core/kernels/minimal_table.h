// The inner loops of 3x3 convolutions by minimal filtering (minimal_convolution.h), one set a
// level.

#ifndef TALLY_CORE_KERNELS_MINIMAL_TABLE_H_
#define TALLY_CORE_KERNELS_MINIMAL_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/level.h"

namespace tally::kernels {

struct MinimalTable {
  Level level;
  // Whether this is faster than products of int8: where those are made of products of int16.
  bool pays;
  // B^T d B for a tile of 4x4 pixels, each with `channels` elements: element i of the 16 results is
  // at out + i * stride.
  void (*transform_pixels)(const int8_t* const (&pixels)[16], size_t channels, int16_t* out,
                           size_t stride);
  // (2G) g (2G)^T for 16 kernels side by side, tap i at taps[i]; results are `stride` apart, two
  // int16 from one kernel to the next.
  void (*transform_taps)(const int8_t (&taps)[9][16], int16_t* out, size_t stride);
  // (A^T m A) / 4, exact, for 16 columns; element i of m is at sums + i * stride.
  void (*transform_sums)(const int32_t* sums, size_t stride, int32_t* const (&out)[4]);
};

const MinimalTable& MinimalOf(Level level);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_MINIMAL_TABLE_H_
