#include "core/kernels/elementwise.h"

#include <algorithm>
#include <utility>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::kernels {
namespace {

constexpr size_t kSlopes = 128;

template <size_t... kIndex>
constexpr std::array<TruncDivider32, kSlopes> MakeSlopeDividers(std::index_sequence<kIndex...>) {
  return {TruncDivider32(kIndex == 0 ? 1 : static_cast<int32_t>(kIndex))...};
}

constexpr std::array<TruncDivider32, kSlopes> kSlopeDividers =
    MakeSlopeDividers(std::make_index_sequence<kSlopes>());

int64_t DivideBySlope(int64_t d, uint8_t inverse_slope) {
  switch (inverse_slope) {
    case 0:
      return 0;
    case 1:
      return d;
    default:
      return Magnitude(d) <= INT32_MAX
                 ? kSlopeDividers[inverse_slope].Divide(static_cast<int32_t>(d))
                 : DivTrunc(d, int64_t{inverse_slope});
  }
}

struct Activated {
  int16_t value;
  uint8_t inverse_slope;
};

Activated LeakyRelu(int64_t z) {
  if (z < -32767) {
    return {-32767, 0};
  }
  if (z < 0) {
    return {static_cast<int16_t>(kSlopeDividers[5].Divide(static_cast<int32_t>(z))), 5};
  }
  return z < 32767 ? Activated{static_cast<int16_t>(z), 1} : Activated{32767, 0};
}

}  // namespace

uint32_t MaxMagnitude(std::span<const int16_t> x) {
  int16_t lowest = 0;
  int16_t highest = 0;
  for (const int16_t value : x) {
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  return std::max(Magnitude(int32_t{lowest}), Magnitude(int32_t{highest}));
}

uint64_t MaxMagnitude(std::span<const int64_t> x) {
  int64_t lowest = 0;
  int64_t highest = 0;
  for (const int64_t value : x) {
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  return std::max(Magnitude(lowest), Magnitude(highest));
}

void Narrow(std::span<const int64_t> wide, std::span<int16_t> narrow) {
  TALLY_CHECK(wide.size() == narrow.size());
  for (size_t i = 0; i < wide.size(); ++i) {
    narrow[i] = static_cast<int16_t>(wide[i]);
  }
}

void AddToRows(std::span<const int16_t> row, MatrixView<int64_t> z) {
  TALLY_CHECK(row.size() == z.columns);
  for (size_t r = 0; r < z.rows; ++r) {
    for (size_t j = 0; j < z.columns; ++j) {
      z.Row(r)[j] += row[j];
    }
  }
}

uint64_t ActivateByTable(std::span<const int64_t> z, const TruncDivider64& divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> inverse_slopes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(inverse_slopes.empty() || inverse_slopes.size() == z.size());
  uint64_t saturated = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const int64_t x =
        Clamp<int64_t>(divider.Divide(z[i]), ActivationTable::kLowest, ActivationTable::kHighest);
    const size_t entry = static_cast<size_t>(x - ActivationTable::kLowest);
    a[i] = table.value[entry];
    saturated += table.saturated[entry];
    if (!inverse_slopes.empty()) {
      inverse_slopes[i] = table.inverse_slope[entry];
    }
  }
  return saturated;
}

uint64_t ActivateLeakyRelu(std::span<const int64_t> z, std::span<int16_t> a,
                           std::span<uint8_t> inverse_slopes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(inverse_slopes.empty() || inverse_slopes.size() == z.size());
  uint64_t saturated = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const Activated activated = LeakyRelu(z[i]);
    a[i] = activated.value;
    saturated += activated.inverse_slope == 0 ? 1 : 0;
    if (!inverse_slopes.empty()) {
      inverse_slopes[i] = activated.inverse_slope;
    }
  }
  return saturated;
}

void ActivateRescale(std::span<const int64_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> inverse_slopes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(inverse_slopes.empty() || inverse_slopes.size() == z.size());
  for (size_t i = 0; i < z.size(); ++i) {
    a[i] = divider.Divide(z[i]);
  }
  std::fill(inverse_slopes.begin(), inverse_slopes.end(), uint8_t{1});
}

void DivideBySlopes(std::span<const uint8_t> inverse_slopes, std::span<int64_t> d) {
  TALLY_CHECK(inverse_slopes.size() == d.size());
  for (size_t i = 0; i < d.size(); ++i) {
    TALLY_CHECK(inverse_slopes[i] < kSlopes);
    d[i] = DivideBySlope(d[i], inverse_slopes[i]);
  }
}

}  // namespace tally::kernels
