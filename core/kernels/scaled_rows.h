// The inner loop that matrix product and weight gradient share: a sum of scaled rows.

#ifndef TALLY_CORE_KERNELS_SCALED_ROWS_H_
#define TALLY_CORE_KERNELS_SCALED_ROWS_H_

#include <cstddef>
#include <cstdint>

namespace tally::kernels {

// A row of int16 and the factor it enters the sum with.
struct ScaledRow {
  const int16_t* row;
  int32_t scale;  // an int16
};

// sums[j] += terms[0].scale * terms[0].row[j] + ... for j < columns. The caller bounds the sum of
// the magnitudes, so that no order of additions wraps.
void AddScaledRows(const ScaledRow* terms, size_t count, size_t columns, int32_t* sums);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_SCALED_ROWS_H_
