// Arrays that own their elements.

#ifndef TALLY_CORE_TENSOR_TENSOR_H_
#define TALLY_CORE_TENSOR_TENSOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "core/arithmetic/check.h"
#include "core/tensor/matrix_view.h"
#include "core/tensor/shape.h"

namespace tally {

// Where rows of vector registers may start; one cache line.
inline constexpr size_t kTensorAlignment = 64;

namespace internal {

struct AlignedDelete {
  void operator()(std::byte* block) const;
};

// `bytes` zeroed bytes that start at a multiple of kTensorAlignment. Aborts when memory is
// exhausted: it is admitted before a model is made.
std::unique_ptr<std::byte, AlignedDelete> AllocateZeroed(size_t bytes);

}  // namespace internal

// Row-major elements of an integer type, all zero at first. A default tensor has no elements.
// Copying copies the elements.
template <class T>
class Tensor {
  static_assert(std::is_integral_v<T>);

 public:
  Tensor() = default;
  explicit Tensor(const Shape& shape)
      : shape_(shape),
        size_(shape.elements()),
        block_(internal::AllocateZeroed(shape.elements() * sizeof(T))) {}
  Tensor(const Tensor& other) : shape_(other.shape_), size_(other.size_) {
    if (other.block_ != nullptr) {
      block_ = internal::AllocateZeroed(size_ * sizeof(T));
      std::copy_n(other.data(), size_, data());
    }
  }
  Tensor(Tensor&& other) noexcept { Swap(other); }
  Tensor& operator=(Tensor other) noexcept {
    Swap(other);
    return *this;
  }
  ~Tensor() = default;

  const Shape& shape() const { return shape_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return reinterpret_cast<T*>(block_.get()); }
  const T* data() const { return reinterpret_cast<const T*>(block_.get()); }
  std::span<T> elements() { return {data(), size_}; }
  std::span<const T> elements() const { return {data(), size_}; }
  std::span<std::byte> bytes() { return {block_.get(), size_ * sizeof(T)}; }
  T& operator[](size_t index) { return data()[index]; }
  const T& operator[](size_t index) const { return data()[index]; }

  // The tensor as a matrix; it has two dimensions.
  MatrixView<T> matrix() {
    TALLY_CHECK(shape_.dimensions() == 2);
    return {data(), static_cast<size_t>(shape_.extent(0)), static_cast<size_t>(shape_.extent(1))};
  }
  MatrixView<const T> matrix() const {
    TALLY_CHECK(shape_.dimensions() == 2);
    return {data(), static_cast<size_t>(shape_.extent(0)), static_cast<size_t>(shape_.extent(1))};
  }

 private:
  void Swap(Tensor& other) noexcept {
    std::swap(shape_, other.shape_);
    std::swap(size_, other.size_);
    std::swap(block_, other.block_);
  }

  Shape shape_;
  size_t size_ = 0;
  std::unique_ptr<std::byte, internal::AlignedDelete> block_;
};

}  // namespace tally

#endif  // TALLY_CORE_TENSOR_TENSOR_H_
