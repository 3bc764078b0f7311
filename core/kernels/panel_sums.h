// Gradients of packed weights.

#ifndef TALLY_CORE_KERNELS_PANEL_SUMS_H_
#define TALLY_CORE_KERNELS_PANEL_SUMS_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/kernels/packed_matrix.h"
#include "core/tensor/tensor.h"

namespace tally::kernels {

// Sums [rows, columns] in the panels of a PackedMatrix of that shape: for one panel after the
// other, its 16 columns of row 0, of row 1 and so on, so that what updates a line of weights lies
// together. Columns that the matrix does not have are there, and stay zero.
template <class Sum>
class PanelSums {
 public:
  static constexpr size_t kPanelColumns = 16;

  PanelSums() = default;
  PanelSums(size_t rows, size_t columns)
      : rows_(rows),
        columns_(columns),
        panels_((columns + kPanelColumns - 1) / kPanelColumns),
        elements_(Shape({panels_ * rows * kPanelColumns})) {}

  size_t rows() const { return rows_; }
  size_t columns() const { return columns_; }
  size_t panels() const { return panels_; }
  size_t panel_stride() const { return rows_ * kPanelColumns; }

  Sum* Row(size_t panel, size_t row) {
    return elements_.data() + (panel * rows_ + row) * kPanelColumns;
  }
  const Sum* Row(size_t panel, size_t row) const {
    return elements_.data() + (panel * rows_ + row) * kPanelColumns;
  }
  const Sum& At(size_t row, size_t column) const {
    return Row(column / kPanelColumns, row)[column % kPanelColumns];
  }
  std::span<Sum> elements() { return elements_.elements(); }
  std::span<const Sum> elements() const { return elements_.elements(); }

  // What sums of this shape allocate.
  static uint64_t Bytes(uint64_t rows, uint64_t columns) {
    return (columns + kPanelColumns - 1) / kPanelColumns * kPanelColumns * rows * sizeof(Sum);
  }

 private:
  size_t rows_ = 0;
  size_t columns_ = 0;
  size_t panels_ = 0;
  Tensor<Sum> elements_;
};

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_PANEL_SUMS_H_
