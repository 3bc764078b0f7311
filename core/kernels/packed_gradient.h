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

  // Lines [first, last) of them.
  struct Lines {
    size_t first;
    size_t last;
  };
  Lines all() const { return {0, lines_}; }

  // Takes some lines from x, which has all inputs. Returns those with an input that is not zero in
  // every row, ascending; with `all_active` the others too. Different lines may be set by different
  // threads, all from the same number of rows.
  std::span<const PairTerm> Set(MatrixView<const int16_t> x, Lines lines, bool all_active);
  const int16_t* values() const { return pairs_.data(); }

  // sums [2, d.panels() * 16] = the sums over the `rows` set of x[r][2 * line + i] * d[r][j], which
  // fit int32 as the caller has shown. d is packed by rows; those beyond are not read.
  void SumLine(size_t line, size_t rows, const PackedMatrix<int16_t>& d,
               std::span<int32_t> sums) const;

 private:
  size_t inputs_;
  size_t lines_;
  Tensor<int16_t> pairs_;  // [2 * lines, 2 * row_pairs]
  Tensor<int16_t> any_;    // [2 * lines]; not zero where a row is not
  std::unique_ptr<PairTerm[]> active_;
};

// Deltas as gradients read them. Takes the first columns of `from`, whose elements fit 16 bits,
// into `plain` and into the same rows of `packed`: from `first_row` on, which is even, by whole
// lines; a last odd row leaves its partner as it was.
void PackDeltas(MatrixView<const int32_t> from, size_t first_row, MatrixView<int16_t> plain,
                PackedMatrix<int16_t>& packed);
void PackDeltas(MatrixView<const int64_t> from, size_t first_row, MatrixView<int16_t> plain,
                PackedMatrix<int16_t>& packed);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_PACKED_GRADIENT_H_
