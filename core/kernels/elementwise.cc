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

int32_t DivideBySlope(int32_t d, uint8_t inverse_slope) {
  return inverse_slope == 0 ? 0 : kSlopeDividers[inverse_slope].Divide(d);
}

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

template <class T>
auto LargestMagnitude(std::span<const T> x) {
  T lowest = 0;
  T highest = 0;
  for (const T value : x) {
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  return std::max(Magnitude(lowest), Magnitude(highest));
}

template <class Z>
void AddRow(std::span<const int16_t> row, MatrixView<Z> z) {
  TALLY_CHECK(row.size() <= z.columns);
  for (size_t r = 0; r < z.rows; ++r) {
    for (size_t j = 0; j < row.size(); ++j) {
      z.Row(r)[j] += row[j];
    }
  }
}

// Quotients are taken a block at a time, so that their loop vectorises; looking up does not.
template <class Z, class Divider>
uint64_t LookUp(std::span<const Z> z, const Divider& divider, const ActivationTable& table,
                std::span<int16_t> a, std::span<uint8_t> inverse_slopes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(inverse_slopes.empty() || inverse_slopes.size() == z.size());
  constexpr size_t kBlock = 64;
  uint32_t entries[kBlock];
  uint64_t saturated = 0;
  for (size_t first = 0; first < z.size(); first += kBlock) {
    const size_t count = std::min(kBlock, z.size() - first);
    for (size_t i = 0; i < count; ++i) {
      const Z x = Clamp<Z>(divider.Divide(z[first + i]), ActivationTable::kLowest,
                           ActivationTable::kHighest);
      entries[i] = static_cast<uint32_t>(x - ActivationTable::kLowest);
    }
    for (size_t i = 0; i < count; ++i) {
      const ActivationTable::Point point = table.points[entries[i]];
      a[first + i] = point.value;
      saturated += point.saturated;
      if (!inverse_slopes.empty()) inverse_slopes[first + i] = point.inverse_slope;
    }
  }
  return saturated;
}

template <class Z>
uint64_t ApplyLeakyRelu(std::span<const Z> z, std::span<int16_t> a,
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

template <class Z>
void Rescale(std::span<const Z> z, const TruncDivider64& divider, std::span<int64_t> a,
             std::span<uint8_t> inverse_slopes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(inverse_slopes.empty() || inverse_slopes.size() == z.size());
  for (size_t i = 0; i < z.size(); ++i) {
    a[i] = divider.Divide(z[i]);
  }
  std::fill(inverse_slopes.begin(), inverse_slopes.end(), uint8_t{1});
}

template <class D>
void DivideEach(std::span<const uint8_t> inverse_slopes, std::span<D> d) {
  TALLY_CHECK(inverse_slopes.size() == d.size());
  for (size_t i = 0; i < d.size(); ++i) {
    TALLY_CHECK(inverse_slopes[i] < kSlopes);
    d[i] = DivideBySlope(d[i], inverse_slopes[i]);
  }
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

uint32_t MaxMagnitude(std::span<const int32_t> x) { return LargestMagnitude(x); }
uint64_t MaxMagnitude(std::span<const int64_t> x) { return LargestMagnitude(x); }

void AddToRows(std::span<const int16_t> row, MatrixView<int32_t> z) { AddRow(row, z); }
void AddToRows(std::span<const int16_t> row, MatrixView<int64_t> z) { AddRow(row, z); }

uint64_t ActivateByTable(std::span<const int32_t> z, TruncDivider32 divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> inverse_slopes) {
  return LookUp(z, divider, table, a, inverse_slopes);
}

uint64_t ActivateByTable(std::span<const int64_t> z, const TruncDivider64& divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> inverse_slopes) {
  return LookUp(z, divider, table, a, inverse_slopes);
}

uint64_t ActivateLeakyRelu(std::span<const int32_t> z, std::span<int16_t> a,
                           std::span<uint8_t> inverse_slopes) {
  return ApplyLeakyRelu(z, a, inverse_slopes);
}

uint64_t ActivateLeakyRelu(std::span<const int64_t> z, std::span<int16_t> a,
                           std::span<uint8_t> inverse_slopes) {
  return ApplyLeakyRelu(z, a, inverse_slopes);
}

void ActivateRescale(std::span<const int32_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> inverse_slopes) {
  Rescale(z, divider, a, inverse_slopes);
}

void ActivateRescale(std::span<const int64_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> inverse_slopes) {
  Rescale(z, divider, a, inverse_slopes);
}

void DivideBySlopes(std::span<const uint8_t> inverse_slopes, std::span<int32_t> d) {
  DivideEach(inverse_slopes, d);
}

void DivideBySlopes(std::span<const uint8_t> inverse_slopes, std::span<int64_t> d) {
  DivideEach(inverse_slopes, d);
}

}  // namespace tally::kernels
