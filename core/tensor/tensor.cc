#include "core/tensor/tensor.h"

#include <cstring>
#include <limits>
#include <new>

#include "core/arithmetic/rounding.h"

namespace tally {

Shape::Shape(std::initializer_list<uint64_t> extents) : dimensions_(extents.size()) {
  TALLY_CHECK(extents.size() <= kDimensionsMax);
  uint64_t elements = 1;
  size_t dimension = 0;
  for (const uint64_t extent : extents) {
    extents_[dimension++] = extent;
    elements = SaturatingMultiply(elements, extent);
  }
  // Eight bytes an element at most; the byte count has to fit as well.
  TALLY_CHECK(elements <= std::numeric_limits<size_t>::max() / 8);
  elements_ = static_cast<size_t>(elements);
}

namespace internal {

void AlignedDelete::operator()(std::byte* block) const {
  ::operator delete (block, std::align_val_t{kTensorAlignment});
}

std::unique_ptr<std::byte, AlignedDelete> AllocateZeroed(size_t bytes) {
  void* block = ::operator new (bytes, std::align_val_t{kTensorAlignment}, std::nothrow);
  TALLY_CHECK(block != nullptr);
  std::memset(block, 0, bytes);
  return std::unique_ptr<std::byte, AlignedDelete>(static_cast<std::byte*>(block));
}

}  // namespace internal
}  // namespace tally
