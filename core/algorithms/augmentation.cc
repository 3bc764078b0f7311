#include "core/algorithms/augmentation.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/arithmetic/philox.h"

namespace tally {

Augmentation::Augmentation(const ModelSpec& spec)
    : spec_(spec.augmentation), seed_(spec.seed), row_bytes_(spec.RowBytes()) {
  if (spec_ == AugmentationSpec()) return;
  const std::vector<uint32_t>& shape = spec.input.shape;
  TALLY_CHECK(shape.size() == 2 || shape.size() == 3);
  height_ = shape[0];
  width_ = shape[1];
  pixel_bytes_ = (shape.size() == 3 ? shape[2] : 1) * ElementBytes(spec.input.type);
  images_.resize(spec.batch_size * row_bytes_);
}

uint64_t Augmentation::Bytes(const ModelSpec& spec) {
  return spec.augmentation == AugmentationSpec() ? 0 : spec.batch_size * spec.RowBytes();
}

RowBatch Augmentation::Apply(const RowBatch& rows, uint64_t step, uint64_t first_row) {
  if (images_.empty()) return rows;
  TALLY_CHECK(rows.rows * row_bytes_ <= images_.size());
  UniformDraws draws(seed_, step, kAugmentationTensor);
  const uint32_t places = 2 * spec_.crop_padding + 1;
  for (size_t r = 0; r < rows.rows; ++r) {
    const uint64_t first_draw = 3 * (first_row + r);
    Shift shift;
    shift.down = int64_t{draws.At(first_draw, places)} - int64_t{spec_.crop_padding};
    shift.right = int64_t{draws.At(first_draw + 1, places)} - int64_t{spec_.crop_padding};
    shift.flip = draws.At(first_draw + 2, 2) == 1 && spec_.horizontal_flip;
    CopyImage(rows.bytes.subspan(r * row_bytes_, row_bytes_), shift,
              std::span(images_).subspan(r * row_bytes_, row_bytes_));
  }
  return {std::span<const std::byte>(images_).first(rows.rows * row_bytes_), rows.rows};
}

void Augmentation::CopyImage(std::span<const std::byte> in, const Shift& shift,
                             std::span<std::byte> out) const {
  const int64_t height = static_cast<int64_t>(height_);
  const int64_t width = static_cast<int64_t>(width_);
  std::fill(out.begin(), out.end(), std::byte{0});
  // Pixels of a line that come from within the image.
  const int64_t first = std::max<int64_t>(0, -shift.right);
  const int64_t last = std::min(width, width - shift.right);
  for (int64_t y = 0; y < height; ++y) {
    const int64_t from = y + shift.down;
    if (from < 0 || from >= height) continue;
    for (int64_t x = first; x < last; ++x) {
      const size_t source = static_cast<size_t>(from * width + x + shift.right) * pixel_bytes_;
      const int64_t place = shift.flip ? width - 1 - x : x;
      const size_t target = static_cast<size_t>(y * width + place) * pixel_bytes_;
      std::copy_n(in.data() + source, pixel_bytes_, out.data() + target);
    }
  }
}

}  // namespace tally
