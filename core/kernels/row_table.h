// The inner loops on rows of packed weights, one set a level: what a step of training by sparse
// inputs is made of.

#ifndef TALLY_CORE_KERNELS_ROW_TABLE_H_
#define TALLY_CORE_KERNELS_ROW_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/level.h"

namespace tally::kernels {

// Two consecutive int16 elements as they lie in memory, with the line of the packed matrix that
// they meet.
struct PairTerm {
  uint32_t line;
  uint32_t pair;
};

// One line of every panel of a PackedMatrix<int16_t>.
template <class T>
struct PanelLines {
  T* first;             // the line in panel 0
  size_t panel_stride;  // elements
  size_t panels;
};

// Division by the inverse learning rate, and the clamp. |n| / inverse is (|n| * multiplier) >>
// shift as in TruncDivider32.
struct UpdateConstants {
  // `total_max` bounds |sum + residual|, below 2^31.
  UpdateConstants(int32_t inverse_rate, int32_t weight_limit, uint64_t total_max);

  uint32_t multiplier;
  uint32_t shift;  // 31 to 62
  int32_t inverse;
  int32_t limit;

  // Where totals stay below 2^30 and quotients fit 16 bits there is a shorter way, without
  // magnitudes: DivTrunc(n, inverse) = ((n * small_multiplier) >> (32 + small_shift)) + (n < 0).
  // With l = ceil(log2 inverse) and the multiplier floor(2^(30 + l) / inverse) + 1 the product
  // exceeds n / inverse by less than 1 / inverse, and never nothing: floors of negative numbers are
  // always one too low.
  bool small = false;
  int32_t small_multiplier = 0;
  int32_t small_shift = 0;
};

// What updates did, summed over calls.
struct UpdateTally {
  uint64_t clamped = 0;        // weights cut at +-limit
  uint32_t magnitude_max = 0;  // of the weights touched
};

// Gradients of some lines and what becomes of their weights, one line after the other.
struct LineJob {
  const PairTerm* lines;  // whose `line` counts
  size_t count;
  const int16_t* values;  // as pair_rows gave them
  size_t rows;
  PanelLines<const int16_t> d;
  int32_t* sums;                // scratch: 2 rows of panels * 16
  int32_t* residuals;           // 2 rows a line, from line 0 on; null: quotients go toward zero
  PanelLines<int16_t> weights;  // from line 0 on
  // Residuals may be as large as the inverse rate, so that weights move without a gradient.
  bool idle_moves = false;
};

// Rows of sums and residuals are `panels * 16` long and 64-byte aligned; the two rows of a line
// follow each other. No sum may leave int32: the caller has bounded it.
struct RowTable {
  Level level;

  // Lists the pairs of x that are not zero, as lines first_line, first_line + 1, ...; `terms` has
  // room for all. x need not be aligned. Returns how many.
  size_t (*list_pairs)(const int16_t* x, size_t pairs, uint32_t first_line, PairTerm* terms);

  // sums[j] += the sum over the terms of pair * (column j of the line).
  void (*add_pairs)(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                    int32_t* sums);

  // Puts rows side by side as gradients read them: for input k the values of two rows after two
  // more, pairs[k * 2 * row_pairs + r] = x[r * stride + k] with row_pairs = (rows + 1) / 2. A
  // missing last row is zero. `any`[k] is not zero where a row is not.
  void (*pair_rows)(const int16_t* x, size_t rows, size_t stride, size_t inputs, int16_t* pairs,
                    int16_t* any);

  // sums [2, panels * 16]: row i is the sum over t < row_pairs of the pair values[i * row_pairs +
  // t] times line t of d.
  void (*sum_line)(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                   int32_t* sums);

  // For both rows of a line: w = Clamp(w - DivTrunc(sum, inverse), -limit, limit).
  void (*update_toward_zero)(const UpdateConstants& constants, const int32_t* sums,
                             PanelLines<int16_t> weights, UpdateTally& tally);

  // The same with residual += sum; q = DivTrunc(residual, inverse); residual -= q * inverse.
  void (*update_with_feedback)(const UpdateConstants& constants, const int32_t* sums,
                               int32_t* residuals, PanelLines<int16_t> weights, UpdateTally& tally);

  // sum_line and an update for every line of the job.
  void (*train_lines)(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally);
};

// The table of a usable level.
const RowTable& RowsOf(Level level);
// That of the active level.
const RowTable& Rows();

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ROW_TABLE_H_
