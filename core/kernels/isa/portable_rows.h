// The row kernels in plain C++: the definition, and what levels without a version of their own use.
// Included once a unit, so that each level's compiler flags apply to it; hence the unnamed
// namespace, and no function of another header that is not constexpr and tiny.

#ifndef TALLY_CORE_KERNELS_ISA_PORTABLE_ROWS_H_
#define TALLY_CORE_KERNELS_ISA_PORTABLE_ROWS_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/row_table.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

constexpr size_t kPanel = 16;  // columns
constexpr size_t kLine = 32;   // elements of a line in one panel

// Every q beyond it takes every w to the limit; cutting there keeps w - q within int32.
constexpr int32_t kQuotientMax = 65535;

// Two int16 elements of an array that is aligned for them together, as all but inputs are.
using Pair = uint32_t __attribute__((may_alias));
// The same anywhere. ARM compilers load it byte by byte where a CPU might not do without.
struct __attribute__((packed, may_alias)) LoosePair {
  uint32_t value;
};

inline int32_t Low(uint32_t pair) { return static_cast<int16_t>(pair & 0xffffu); }
inline int32_t High(uint32_t pair) { return static_cast<int16_t>(pair >> 16); }

[[maybe_unused]] size_t ListPairs(const int16_t* x, size_t pairs, uint32_t first_line,
                                  PairTerm* terms) {
  size_t listed = 0;
  for (size_t i = 0; i < pairs; ++i) {
    const uint32_t pair = uint32_t{static_cast<uint16_t>(x[2 * i])} |
                          uint32_t{static_cast<uint16_t>(x[2 * i + 1])} << 16;
    terms[listed] = {first_line + static_cast<uint32_t>(i), pair};
    listed += pair != 0 ? 1 : 0;
  }
  return listed;
}

[[maybe_unused]] void AddPairs(const PairTerm* terms, size_t count, PanelLines<const int16_t> lines,
                               int32_t* sums) {
  for (size_t p = 0; p < lines.panels; ++p) {
    const int16_t* panel = lines.first + p * lines.panel_stride;
    int32_t partial[kPanel];
    for (size_t j = 0; j < kPanel; ++j) partial[j] = sums[p * kPanel + j];
    for (size_t t = 0; t < count; ++t) {
      const int16_t* line = panel + terms[t].line * kLine;
      const int32_t low = Low(terms[t].pair);
      const int32_t high = High(terms[t].pair);
      for (size_t j = 0; j < kPanel; ++j) {
        partial[j] += low * line[2 * j] + high * line[2 * j + 1];
      }
    }
    for (size_t j = 0; j < kPanel; ++j) sums[p * kPanel + j] = partial[j];
  }
}

[[maybe_unused]] void PairRows(const int16_t* x, size_t rows, size_t stride, size_t inputs,
                               int16_t* pairs, int16_t* any) {
  const size_t places = (rows + 1) / 2 * 2;
  for (size_t k = 0; k < inputs; ++k) any[k] = x[k];
  for (size_t r = 1; r < rows; ++r) {
    for (size_t k = 0; k < inputs; ++k) {
      any[k] = static_cast<int16_t>(any[k] | x[r * stride + k]);
    }
  }
  for (size_t r = 0; r < places; ++r) {
    for (size_t k = 0; k < inputs; ++k) {
      pairs[k * places + r] = r < rows ? x[r * stride + k] : int16_t{0};
    }
  }
}

[[maybe_unused]] void SumLine(const int16_t* values, size_t row_pairs, PanelLines<const int16_t> d,
                              int32_t* sums) {
  const Pair* pairs = reinterpret_cast<const Pair*>(values);
  for (size_t i = 0; i < 2; ++i) {
    for (size_t p = 0; p < d.panels; ++p) {
      const int16_t* panel = d.first + p * d.panel_stride;
      int32_t partial[kPanel] = {};
      for (size_t t = 0; t < row_pairs; ++t) {
        const uint32_t pair = pairs[i * row_pairs + t];
        if (pair == 0) continue;
        const int16_t* line = panel + t * kLine;
        const int32_t low = Low(pair);
        const int32_t high = High(pair);
        for (size_t j = 0; j < kPanel; ++j) {
          partial[j] += low * line[2 * j] + high * line[2 * j + 1];
        }
      }
      for (size_t j = 0; j < kPanel; ++j) sums[(i * d.panels + p) * kPanel + j] = partial[j];
    }
  }
}

// |n| / inverse for |n| <= 2^31.
inline uint32_t DivideMagnitude(const UpdateConstants& constants, uint32_t magnitude) {
  return static_cast<uint32_t>((uint64_t{magnitude} * constants.multiplier) >> constants.shift);
}

// DivTrunc(total, inverse).
template <bool kSmall>
int32_t QuotientOf(const UpdateConstants& constants, int32_t total) {
  if constexpr (kSmall) {
    const int64_t product = int64_t{total} * constants.small_multiplier;
    return (static_cast<int32_t>(product >> 32) >> constants.small_shift) - (total >> 31);
  } else {
    const uint32_t sign = 0u - (static_cast<uint32_t>(total) >> 31);
    const uint32_t magnitude = (static_cast<uint32_t>(total) ^ sign) - sign;
    const uint32_t quotient = DivideMagnitude(constants, magnitude);
    return static_cast<int32_t>((quotient ^ sign) - sign);
  }
}

// Moves one weight by a sum; `residual` may be null.
template <bool kSmall>
void MoveWeight(const UpdateConstants& constants, int32_t sum, int32_t* residual, int16_t& weight,
                uint32_t& clamped, uint32_t& magnitude_max) {
  const int32_t total = residual == nullptr ? sum : *residual + sum;
  int32_t quotient = QuotientOf<kSmall>(constants, total);
  if (residual != nullptr) *residual = total - quotient * constants.inverse;
  if constexpr (!kSmall) {
    quotient = quotient < kQuotientMax ? quotient : kQuotientMax;
    quotient = quotient > -kQuotientMax ? quotient : -kQuotientMax;
  }
  const int32_t moved = weight - quotient;
  int32_t kept = moved < constants.limit ? moved : constants.limit;
  kept = kept > -constants.limit ? kept : -constants.limit;
  clamped += moved != kept ? 1u : 0u;
  const uint32_t size = static_cast<uint32_t>(kept < 0 ? -kept : kept);
  magnitude_max = size > magnitude_max ? size : magnitude_max;
  weight = static_cast<int16_t>(kept);
}

// Moves 16 weights of one row, every second element from `weights` on. `residuals` may be null.
template <bool kSmall>
void MoveRow(const UpdateConstants& constants, const int32_t* sums, int32_t* residuals,
             int16_t* weights, uint32_t& clamped, uint32_t& magnitude_max) {
  for (size_t j = 0; j < kPanel; ++j) {
    MoveWeight<kSmall>(constants, sums[j], residuals == nullptr ? nullptr : residuals + j,
                       weights[2 * j], clamped, magnitude_max);
  }
}

template <bool kFeedback, bool kSmall>
void UpdateLineBy(const UpdateConstants& constants, const int32_t* sums, int32_t* residuals,
                  PanelLines<int16_t> weights, UpdateTally& tally) {
  const size_t width = weights.panels * kPanel;
  uint32_t clamped = 0;
  uint32_t magnitude_max = tally.magnitude_max;
  for (size_t p = 0; p < weights.panels; ++p) {
    for (size_t row = 0; row < 2; ++row) {
      const size_t first = row * width + p * kPanel;
      MoveRow<kSmall>(constants, sums + first, kFeedback ? residuals + first : nullptr,
                      weights.first + p * weights.panel_stride + row, clamped, magnitude_max);
    }
  }
  tally.clamped += clamped;
  tally.magnitude_max = magnitude_max;
}

template <bool kFeedback>
void UpdateLine(const UpdateConstants& constants, const int32_t* sums, int32_t* residuals,
                PanelLines<int16_t> weights, UpdateTally& tally) {
  if (constants.small) {
    UpdateLineBy<kFeedback, true>(constants, sums, residuals, weights, tally);
  } else {
    UpdateLineBy<kFeedback, false>(constants, sums, residuals, weights, tally);
  }
}

[[maybe_unused]] void UpdateTowardZero(const UpdateConstants& constants, const int32_t* sums,
                                       PanelLines<int16_t> weights, UpdateTally& tally) {
  UpdateLine<false>(constants, sums, nullptr, weights, tally);
}

[[maybe_unused]] void UpdateWithFeedback(const UpdateConstants& constants, const int32_t* sums,
                                         int32_t* residuals, PanelLines<int16_t> weights,
                                         UpdateTally& tally) {
  UpdateLine<true>(constants, sums, residuals, weights, tally);
}

// For one row a gradient is an outer product: a column without a delta has none and stays as it is.
// Lists the first columns of the groups of kGroup columns that move, and returns how many.
template <size_t kGroup>
size_t ListMovingColumns(const LineJob& job, int32_t* columns) {
  size_t count = 0;
  for (size_t j = 0; j < job.d.panels * kPanel; j += kGroup) {
    const Pair* deltas = reinterpret_cast<const Pair*>(
        job.d.first + j / kPanel * job.d.panel_stride + j % kPanel * 2);
    uint32_t any = job.idle_moves ? 1 : 0;
    for (size_t i = 0; i < kGroup; ++i) any |= deltas[i];
    columns[count] = static_cast<int32_t>(j);
    count += any != 0 ? 1 : 0;
  }
  return count;
}

// train_lines for one row.
template <size_t kGroup, bool kFeedback>
void TrainOneRow(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  const size_t count = ListMovingColumns<kGroup>(job, job.sums);
  const size_t width = job.weights.panels * kPanel;
  uint32_t clamped = 0;
  uint32_t magnitude_max = tally.magnitude_max;
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    int32_t* residuals = kFeedback ? job.residuals + line * 2 * width : nullptr;
    for (size_t row = 0; row < 2; ++row) {
      const int32_t value = job.values[4 * line + 2 * row];  // beside a zero
      for (size_t c = 0; c < count; ++c) {
        const size_t j = static_cast<size_t>(job.sums[c]);
        const size_t place = j % kPanel * 2;
        const int16_t* d = job.d.first + j / kPanel * job.d.panel_stride + place;
        int16_t* weights =
            job.weights.first + j / kPanel * job.weights.panel_stride + line * kLine + place + row;
        for (size_t k = 0; k < kGroup; ++k) {
          MoveWeight<false>(constants, value * d[2 * k],
                            kFeedback ? residuals + row * width + j + k : nullptr, weights[2 * k],
                            clamped, magnitude_max);
        }
      }
    }
  }
  tally.clamped += clamped;
  tally.magnitude_max = magnitude_max;
}

// train_lines, made of a level's other kernels; kGroup columns of a single row move together.
template <size_t kGroup, auto kSumLine, auto kTowardZero, auto kWithFeedback>
void TrainLines(const LineJob& job, const UpdateConstants& constants, UpdateTally& tally) {
  if (job.rows == 1) {
    return job.residuals == nullptr ? TrainOneRow<kGroup, false>(job, constants, tally)
                                    : TrainOneRow<kGroup, true>(job, constants, tally);
  }
  const size_t row_pairs = (job.rows + 1) / 2;
  for (size_t i = 0; i < job.count; ++i) {
    const size_t line = job.lines[i].line;
    kSumLine(job.values + line * 4 * row_pairs, row_pairs, job.d, job.sums);
    const PanelLines<int16_t> weights = {job.weights.first + line * kLine, job.weights.panel_stride,
                                         job.weights.panels};
    if (job.residuals == nullptr) {
      kTowardZero(constants, job.sums, weights, tally);
    } else {
      kWithFeedback(constants, job.sums, job.residuals + line * 2 * weights.panels * kPanel,
                    weights, tally);
    }
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_PORTABLE_ROWS_H_
