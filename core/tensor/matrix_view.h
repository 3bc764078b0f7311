// Borrowed row-major matrices: what kernels take and give.

#ifndef TALLY_CORE_TENSOR_MATRIX_VIEW_H_
#define TALLY_CORE_TENSOR_MATRIX_VIEW_H_

#include <cstddef>
#include <span>
#include <type_traits>

namespace tally {

// `rows` x `columns` elements without padding. Copies are cheap and refer to the same elements.
template <class T>
struct MatrixView {
  T* data = nullptr;
  size_t rows = 0;
  size_t columns = 0;

  T* Row(size_t row) const { return data + row * columns; }
  size_t size() const { return rows * columns; }
  std::span<T> elements() const { return {data, size()}; }

  // The first `count` rows; `count` rows from `first` on.
  MatrixView FirstRows(size_t count) const { return {data, count, columns}; }
  MatrixView SomeRows(size_t first, size_t count) const { return {Row(first), count, columns}; }

  operator MatrixView<const T>() const  // NOLINT: a view to read is what every reader of it wants.
      requires(!std::is_const_v<T>) {
    return {data, rows, columns};
  }
};

}  // namespace tally

#endif  // TALLY_CORE_TENSOR_MATRIX_VIEW_H_
