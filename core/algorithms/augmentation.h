// Images shifted and mirrored at random before training, so that a network sees more of them.
// Shared by the algorithms.

#ifndef TALLY_CORE_ALGORITHMS_AUGMENTATION_H_
#define TALLY_CORE_ALGORITHMS_AUGMENTATION_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/learner/learner.h"
#include "core/learner/model_spec.h"

namespace tally {

// The tensor word of its draws in the Philox counter.
inline constexpr uint32_t kAugmentationTensor = 7;

class Augmentation {
 public:
  explicit Augmentation(const ModelSpec& spec);

  // Bytes that a stage for mini-batches of this spec keeps.
  static uint64_t Bytes(const ModelSpec& spec);

  // The rows as training sees them: `rows` themselves if the spec asks for nothing, else copies
  // that live until the next call. Row i is number `first_row` + i of the mini-batch, n for short:
  //
  //   down  = draw(3 n) - p, right = draw(3 n + 1) - p, both draws of [0, 2 p], p the crop padding
  //   out[y][x] = in[y + down][x + right], all bytes 0 outside of the image
  //   then, if flips are on and draw(3 n + 2) of [0, 1] is 1: columns in reverse order
  //
  // Draws are those of (seed, step, kAugmentationTensor).
  RowBatch Apply(const RowBatch& rows, uint64_t step, uint64_t first_row);

 private:
  struct Shift {
    int64_t down;
    int64_t right;
    bool flip;
  };
  void CopyImage(std::span<const std::byte> in, const Shift& shift, std::span<std::byte> out) const;

  AugmentationSpec spec_;
  uint64_t seed_;
  size_t row_bytes_;
  size_t height_ = 0;
  size_t width_ = 0;
  size_t pixel_bytes_ = 0;
  std::vector<std::byte> images_;
};

}  // namespace tally

#endif  // TALLY_CORE_ALGORITHMS_AUGMENTATION_H_
