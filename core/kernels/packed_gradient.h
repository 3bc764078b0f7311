// Gradients of packed weights, a line (two inputs) at a time, in int32.

#ifndef TALLY_CORE_KERNELS_PACKED_GRADIENT_H_
#define TALLY_CORE_KERNELS_PACKED_GRADIENT_H_

#include <cstdint>
#include <memory>
#include <span>

#include "core/kernels/packed_matrix.h"
#include "core/kernels/row_table.h"
#include "core/tensor/tensor.h"

namespace tally::kernels {

// The inputs of a mini-batch as gradients read them: for each input its values in consecutive rows,
// two by two, and the lines in which any row is not zero. Sized once; Set allocates nothing.
class InputPairs {
 public:
  InputPairs(size_t rows_max, size_t inputs);
  static uint64_t Bytes(uint64_t rows_max, uint64_t inputs);

  // `all_lines`: those that are zero in every row count as active too.
  void Set(MatrixView<const int16_t> x, bool all_lines);

  // The lines with an input that is not zero in every row, ascending.
  std::span<const PairTerm> active_lines() const { return {active_.get(), active_count_}; }
  const int16_t* values() const { return pairs_.data(); }
  size_t row_pairs() const { return row_pairs_; }

  // sums [2, d.panels() * 16] = the sums over the rows of x[r][2 * line + i] * d[r][j], which fit
  // int32 as the caller has shown. d is packed by rows; those beyond the rows set are not read.
  void SumLine(size_t line, const PackedMatrix<int16_t>& d, std::span<int32_t> sums) const;

 private:
  size_t inputs_;
  size_t lines_;
  size_t row_pairs_ = 0;   // of the rows set
  Tensor<int16_t> pairs_;  // [2 * lines, 2 * row_pairs]
  Tensor<int16_t> any_;    // [2 * lines]; not zero where a row is not
  std::unique_ptr<PairTerm[]> active_;
  size_t active_count_ = 0;
};

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_PACKED_GRADIENT_H_
