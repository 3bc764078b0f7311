// Updates of packed weights for machines with vector registers, where the bounds allow 16 bits: the
// loops, with the instructions left to a Machine.
//
//   kColumns                          that move at once, in both rows of a line
//   Constants                         made of UpdateConstants
//   Sums                              of one row
//   Lanes                             what moving weights found
//   LoadSums(sums)
//   Factor(x), Product(deltas, factor)
//                                     Sums of a single row: x and the zero beside it, times deltas
//   Move<feedback>(constants, even, odd, residuals, odd residuals, weights, lanes)
//   Begin(tally), Take(lanes, count, tally)
//
// Included once a unit, so that each level's compiler flags apply to it; hence the unnamed
// namespace.

#ifndef TALLY_CORE_KERNELS_ISA_VECTOR_ROWS_H_
#define TALLY_CORE_KERNELS_ISA_VECTOR_ROWS_H_

#include "core/kernels/isa/portable_rows.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

// Moves the weights of a line; constants.small.
template <class Machine, bool kFeedback>
inline void MoveLine(const typename Machine::Constants& constants, const int32_t* sums,
                     int32_t* residuals, PanelLines<int16_t> weights,
                     typename Machine::Lanes& lanes) {
  const size_t width = weights.panels * kPanel;
  const int32_t* odd_sums = sums + width;
  int32_t* odd_residuals = kFeedback ? residuals + width : nullptr;
  int16_t* line = weights.first;
  for (size_t p = 0; p < weights.panels; ++p) {
#pragma GCC unroll 4
    for (size_t c = 0; c < kPanel; c += Machine::kColumns) {
      Machine::template Move<kFeedback>(
          constants, Machine::LoadSums(sums + c), Machine::LoadSums(odd_sums + c),
          kFeedback ? residuals + c : nullptr, kFeedback ? odd_residuals + c : nullptr,
          line + 2 * c, lanes);
    }
    sums += kPanel;
    odd_sums += kPanel;
    line += weights.panel_stride;
    if (kFeedback) {
      residuals += kPanel;
      odd_residuals += kPanel;
    }
  }
}

// update_toward_zero and update_with_feedback; constants.small.
template <class Machine, bool kFeedback>
void UpdateLineSmall(const UpdateConstants& from, const int32_t* sums, int32_t* residuals,
                     PanelLines<int16_t> weights, UpdateTally& tally) {
  const typename Machine::Constants constants(from);
  typename Machine::Lanes lanes = Machine::Begin(tally);
  MoveLine<Machine, kFeedback>(constants, sums, residuals, weights, lanes);
  Machine::Take(lanes, 2 * weights.panels * kPanel, tally);
}

// train_lines for two rows or more, constants.small: what moving found is added up only once.
template <class Machine, auto kSumLine, bool kFeedback>
void TrainRowsSmall(const LineJob& job, const UpdateConstants& from, UpdateTally& tally) {
  const typename Machine::Constants constants(from);
  const size_t row_pairs = (job.rows + 1) / 2;
  const size_t width = job.weights.panels * kPanel;
  typename Machine::Lanes lanes = Machine::Begin(tally);
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    kSumLine(job.values + line * 4 * row_pairs, row_pairs, job.d, job.sums);
    MoveLine<Machine, kFeedback>(
        constants, job.sums, kFeedback ? job.residuals + line * 2 * width : nullptr,
        {job.weights.first + line * kLine, job.weights.panel_stride, job.weights.panels}, lanes);
  }
  Machine::Take(lanes, 2 * width * job.count, tally);
}

// train_lines for one row, constants.small: a sum is one product, and columns without a delta are
// left out, kColumns at a time.
template <class Machine, bool kFeedback>
void TrainOneRowSmall(const LineJob& job, const UpdateConstants& from, UpdateTally& tally) {
  const typename Machine::Constants constants(from);
  const size_t count = ListMovingColumns<Machine::kColumns>(job, job.sums);
  const size_t width = job.weights.panels * kPanel;
  typename Machine::Lanes lanes = Machine::Begin(tally);
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    const int16_t* x = job.values + 4 * line;  // each value beside a zero
    const auto even = Machine::Factor(x);
    const auto odd = Machine::Factor(x + 2);
    int32_t* residuals = kFeedback ? job.residuals + line * 2 * width : nullptr;
    int16_t* weights = job.weights.first + line * kLine;
    for (size_t c = 0; c < count; ++c) {
      const size_t column = static_cast<size_t>(job.sums[c]);
      const size_t panel = column / kPanel;
      const size_t place = column % kPanel * 2;
      const int16_t* deltas = job.d.first + panel * job.d.panel_stride + place;
      Machine::template Move<kFeedback>(constants, Machine::Product(deltas, even),
                                        Machine::Product(deltas, odd),
                                        kFeedback ? residuals + column : nullptr,
                                        kFeedback ? residuals + width + column : nullptr,
                                        weights + panel * job.weights.panel_stride + place, lanes);
    }
  }
  Machine::Take(lanes, 2 * Machine::kColumns * count * job.count, tally);
}

template <class Machine, auto kSumLine, bool kFeedback>
void TrainSmall(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  if (job.rows == 1) {
    TrainOneRowSmall<Machine, kFeedback>(job, constants, tally);
  } else {
    TrainRowsSmall<Machine, kSumLine, kFeedback>(job, constants, tally);
  }
}

// train_lines, made of these and of a level's kernels for whatever else comes.
template <class Machine, auto kSumLine, auto kTowardZero, auto kWithFeedback>
void TrainLinesByVectors(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  if (!constants.small) {
    TrainLines<Machine::kColumns, kSumLine, kTowardZero, kWithFeedback>(job, constants, tally);
  } else if (job.residuals == nullptr) {
    TrainSmall<Machine, kSumLine, false>(job, constants, tally);
  } else {
    TrainSmall<Machine, kSumLine, true>(job, constants, tally);
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_VECTOR_ROWS_H_
