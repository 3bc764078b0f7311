// Weights in the order in which the inner loops read them, at every level.

#ifndef TALLY_CORE_KERNELS_PACKED_MATRIX_H_
#define TALLY_CORE_KERNELS_PACKED_MATRIX_H_

#include <cstddef>
#include <cstdint>

#include "core/arithmetic/check.h"
#include "core/tensor/matrix_view.h"
#include "core/tensor/tensor.h"

namespace tally::kernels {

// A matrix [rows, columns] of int16 or int8, cut into panels of 16 columns. In a panel, groups of
// consecutive rows (2 of int16, 4 of int8) lie side by side, so that a 32-bit lane holds what one
// multiply-and-add instruction sums:
//
//   element (k, j) is in panel j / 16, line k / group, lane j % 16, place k % group
//
// A line is 64 bytes, a panel a run of lines. Missing rows and columns are zero and must stay so.
template <class T>
class PackedMatrix {
  static_assert(sizeof(T) == 1 || sizeof(T) == 2);

 public:
  static constexpr size_t kGroup = 4 / sizeof(T);
  static constexpr size_t kPanelColumns = 16;
  static constexpr size_t kLine = kPanelColumns * kGroup;  // elements

  PackedMatrix() = default;
  PackedMatrix(size_t rows, size_t columns)
      : rows_(rows),
        columns_(columns),
        lines_((rows + kGroup - 1) / kGroup),
        panels_((columns + kPanelColumns - 1) / kPanelColumns),
        panel_stride_(StrideFor(lines_)),
        elements_(Shape({panels_ * panel_stride_})) {}

  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  size_t lines() const { return lines_; }  // a panel
  size_t panels() const { return panels_; }
  size_t panel_stride() const { return panel_stride_; }  // elements from a panel to the next
  bool empty() const { return elements_.empty(); }

  T* Line(size_t panel, size_t line) {
    return elements_.data() + panel * panel_stride_ + line * kLine;
  }
  const T* Line(size_t panel, size_t line) const {
    return elements_.data() + panel * panel_stride_ + line * kLine;
  }
  T& At(size_t row, size_t column) { return elements_[IndexOf(row, column)]; }
  const T& At(size_t row, size_t column) const { return elements_[IndexOf(row, column)]; }

  // Both views are [rows, columns].
  void Pack(MatrixView<const T> plain) {
    TALLY_CHECK(plain.rows == rows_ && plain.columns == columns_);
    for (size_t k = 0; k < rows_; ++k) {
      for (size_t j = 0; j < columns_; ++j) At(k, j) = plain.Row(k)[j];
    }
  }
  void Unpack(MatrixView<T> plain) const {
    TALLY_CHECK(plain.rows == rows_ && plain.columns == columns_);
    for (size_t k = 0; k < rows_; ++k) {
      for (size_t j = 0; j < columns_; ++j) plain.Row(k)[j] = At(k, j);
    }
  }

  // What a matrix of this shape allocates.
  static uint64_t Bytes(uint64_t rows, uint64_t columns) {
    const uint64_t panels = (columns + kPanelColumns - 1) / kPanelColumns;
    return panels * StrideFor((rows + kGroup - 1) / kGroup) * sizeof(T);
  }

 private:
  // Panels that start a multiple of 4 KiB apart would compete for the same few cache lines.
  template <class Count>
  static constexpr Count StrideFor(Count lines) {
    constexpr Count kLinesPerPage = 64;
    return (lines + (lines % kLinesPerPage == 0 ? 1 : 0)) * kLine;
  }
  size_t IndexOf(size_t row, size_t column) const {
    return column / kPanelColumns * panel_stride_ + row / kGroup * kLine +
           column % kPanelColumns * kGroup + row % kGroup;
  }

  size_t rows_ = 0;
  size_t columns_ = 0;
  size_t lines_ = 0;
  size_t panels_ = 0;
  size_t panel_stride_ = 0;
  Tensor<T> elements_;
};

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_PACKED_MATRIX_H_
