// Integer standardisation from its definition: m = sum x / n, d = sum |x - m| / n (at least 1),
// mantissa = clip((x - m) unit / d), every division toward zero.

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_NITI_INPUT_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_NITI_INPUT_H_

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "tests/core/oracle/slow_niti_arithmetic.h"

namespace tally::oracle {

struct Deviation {
  int64_t mean = 0;
  int64_t deviation = 1;
};

template <typename Elements>
Deviation MeasureDeviation(const Elements& elements) {
  const auto count = static_cast<int64_t>(elements.size());
  Deviation result;
  for (const int64_t x : elements) result.mean += x;
  result.mean /= count;
  int64_t sum = 0;
  for (const int64_t x : elements) sum += std::abs(x - result.mean);
  result.deviation = std::max<int64_t>(1, sum / count);
  return result;
}

inline std::vector<int64_t> Standardised(std::vector<int64_t> elements, const Deviation& by,
                                         int64_t unit) {
  for (int64_t& x : elements) x = Clip127((x - by.mean) * unit / by.deviation);
  return elements;
}

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_NITI_INPUT_H_
