#include "core/kernels/scaled_rows.h"

namespace tally::kernels {
namespace {

// The factors pass through int16 so that the vectoriser sees 16 x 16 -> 32 bit products; a general
// 32-bit product costs several instructions on old instruction sets.
void AddFour(const ScaledRow* terms, size_t columns, int32_t* __restrict sums) {
  const int16_t* __restrict row0 = terms[0].row;
  const int16_t* __restrict row1 = terms[1].row;
  const int16_t* __restrict row2 = terms[2].row;
  const int16_t* __restrict row3 = terms[3].row;
  const int16_t scale0 = static_cast<int16_t>(terms[0].scale);
  const int16_t scale1 = static_cast<int16_t>(terms[1].scale);
  const int16_t scale2 = static_cast<int16_t>(terms[2].scale);
  const int16_t scale3 = static_cast<int16_t>(terms[3].scale);
  for (size_t j = 0; j < columns; ++j) {
    sums[j] += scale0 * row0[j] + scale1 * row1[j] + scale2 * row2[j] + scale3 * row3[j];
  }
}

}  // namespace

void AddScaledRows(const ScaledRow* terms, size_t count, size_t columns, int32_t* sums) {
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    AddFour(terms + i, columns, sums);
  }
  if (i < count) {
    // Missing terms are the last one times zero.
    ScaledRow rest[4];
    for (size_t t = 0; t < 4; ++t) {
      rest[t] = i + t < count ? terms[i + t] : ScaledRow{terms[count - 1].row, 0};
    }
    AddFour(rest, columns, sums);
  }
}

}  // namespace tally::kernels
