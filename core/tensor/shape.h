// Extents of an array of up to four dimensions.

#ifndef TALLY_CORE_TENSOR_SHAPE_H_
#define TALLY_CORE_TENSOR_SHAPE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace tally {

// Zero dimensions: a scalar, one element. The product of the extents fits size_t (checked).
class Shape {
 public:
  static constexpr size_t kDimensionsMax = 4;

  Shape() = default;
  Shape(std::initializer_list<uint64_t> extents);

  size_t dimensions() const { return dimensions_; }
  uint64_t extent(size_t dimension) const { return extents_[dimension]; }
  std::span<const uint64_t> extents() const { return {extents_.data(), dimensions_}; }
  size_t elements() const { return elements_; }

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<uint64_t, kDimensionsMax> extents_ = {};
  size_t dimensions_ = 0;
  size_t elements_ = 1;
};

}  // namespace tally

#endif  // TALLY_CORE_TENSOR_SHAPE_H_
