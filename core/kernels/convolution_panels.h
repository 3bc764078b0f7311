// Panels of a convolution's right factor that are not the weights as they lie. Private to
// core/kernels.

#ifndef TALLY_CORE_KERNELS_CONVOLUTION_PANELS_H_
#define TALLY_CORE_KERNELS_CONVOLUTION_PANELS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/convolution.h"
#include "core/kernels/gemm_driver.h"

namespace tally::kernels {

// A right factor with a row for each column of the windows that it meets: either the weights, or,
// for errors, the weights turned by 180 degrees with units and channels exchanged: row
// (r * kernel_width + c) * units + u then holds the weights of unit u in row r and column c counted
// from the end, and columns are channels.
class KernelSource {
 public:
  static KernelSource Plain(const ConvolutionShape& shape, const PackedMatrix<int8_t>& weights) {
    return {shape, weights, false};
  }
  static KernelSource Turned(const ConvolutionShape& shape, const PackedMatrix<int8_t>& weights) {
    return {shape, weights, true};
  }

  size_t columns() const { return turned_ ? shape_.channels : shape_.units; }
  size_t panels() const { return (columns() + kTileColumns - 1) / kTileColumns; }
  size_t kernel_height() const { return shape_.kernel_height; }
  // Rows that belong to one row of the kernel.
  size_t kernel_row() const {
    return shape_.kernel_width * (turned_ ? shape_.units : shape_.channels);
  }

  // The elements of a row in a panel, one after the other four bytes apart.
  void CopyRow(size_t row, size_t panel, int8_t* lanes) const;

 private:
  KernelSource(const ConvolutionShape& shape, const PackedMatrix<int8_t>& weights, bool turned)
      : shape_(shape), weights_(weights), turned_(turned) {}

  const ConvolutionShape& shape_;
  const PackedMatrix<int8_t>& weights_;
  bool turned_;
};

// A few panels of a source at a time.
class MadePanels {
 public:
  static constexpr size_t kBytes = 96 * 1024;

  explicit MadePanels(const KernelSource& source) : source_(source) {}

  // How many there is room for if each row of the kernel takes so many lines; may be 0.
  static size_t PanelsMax(const KernelSource& source, size_t row_lines) {
    return kBytes / ((source.kernel_height() * row_lines + 1) * kTileLineBytes);
  }
  size_t PanelsMax(size_t row_lines) const { return PanelsMax(source_, row_lines); }

  // The panels [first, last), with every row of the kernel from a line on.
  PanelBlock MakeKernelRows(size_t first, size_t last, size_t row_lines);
  // Rows [begin, end) of the panels [first, last).
  PanelBlock MakeRows(size_t first, size_t last, size_t begin, size_t end);

 private:
  PanelBlock Block(size_t first, size_t last, size_t lines) const;

  const KernelSource& source_;
  alignas(64) int8_t lines_[kBytes];
};

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_CONVOLUTION_PANELS_H_
