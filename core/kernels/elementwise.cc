#include "core/kernels/elementwise.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::kernels {
namespace {

constexpr uint8_t kDead = SlopeCode(0);
constexpr uint8_t kSlopeOne = SlopeCode(1);
constexpr uint8_t kSlopeFive = SlopeCode(5);
constexpr TruncDivider32 kByFive(5);

struct Activated {
  int16_t value;
  uint8_t slope_code;
};

Activated LeakyRelu(int64_t z) {
  if (z < -32767) {
    return {-32767, kDead};
  }
  if (z < 0) {
    return {static_cast<int16_t>(kByFive.Divide(static_cast<int32_t>(z))), kSlopeFive};
  }
  return z < 32767 ? Activated{static_cast<int16_t>(z), kSlopeOne} : Activated{32767, kDead};
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

void FindEntries(const int32_t* z, size_t count, TruncDivider32 divider, uint32_t* entries) {
  Elements().find_entries(z, count, divider, entries);
}

void FindEntries(const int64_t* z, size_t count, const TruncDivider64& divider, uint32_t* entries) {
  for (size_t i = 0; i < count; ++i) {
    const int64_t x =
        Clamp<int64_t>(divider.Divide(z[i]), ActivationTable::kLowest, ActivationTable::kHighest);
    entries[i] = static_cast<uint32_t>(x - ActivationTable::kLowest);
  }
}

// Quotients are taken a block at a time, so that their loop vectorises; looking up does not.
template <class Z, class Divider>
uint64_t LookUp(std::span<const Z> z, const Divider& divider, const ActivationTable& table,
                std::span<int16_t> a, std::span<uint8_t> slope_codes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(slope_codes.empty() || slope_codes.size() == z.size());
  constexpr size_t kBlock = 128;
  uint32_t entries[kBlock];
  uint64_t saturated = 0;
  for (size_t first = 0; first < z.size(); first += kBlock) {
    const size_t count = std::min(kBlock, z.size() - first);
    FindEntries(z.data() + first, count, divider, entries);
    for (size_t i = 0; i < count; ++i) {
      const ActivationTable::Point point = table.points[entries[i]];
      a[first + i] = point.value;
      saturated += point.saturated;
      if (!slope_codes.empty()) slope_codes[first + i] = point.slope_code;
    }
  }
  return saturated;
}

template <class Z>
uint64_t ApplyLeakyRelu(std::span<const Z> z, std::span<int16_t> a,
                        std::span<uint8_t> slope_codes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(slope_codes.empty() || slope_codes.size() == z.size());
  uint64_t saturated = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    const Activated activated = LeakyRelu(z[i]);
    a[i] = activated.value;
    saturated += activated.slope_code == kDead ? 1 : 0;
    if (!slope_codes.empty()) {
      slope_codes[i] = activated.slope_code;
    }
  }
  return saturated;
}

template <class Z>
void Rescale(std::span<const Z> z, const TruncDivider64& divider, std::span<int64_t> a,
             std::span<uint8_t> slope_codes) {
  TALLY_CHECK(a.size() == z.size());
  TALLY_CHECK(slope_codes.empty() || slope_codes.size() == z.size());
  for (size_t i = 0; i < z.size(); ++i) {
    a[i] = divider.Divide(z[i]);
  }
  std::fill(slope_codes.begin(), slope_codes.end(), kSlopeOne);
}

}  // namespace

uint32_t MaxMagnitude(std::span<const int16_t> x) {
  return Elements().max_magnitude16(x.data(), x.size());
}

uint32_t MaxMagnitude(std::span<const int32_t> x) {
  return Elements().max_magnitude32(x.data(), x.size());
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

void AddToRows(std::span<const int16_t> row, MatrixView<int32_t> z) { AddRow(row, z); }
void AddToRows(std::span<const int16_t> row, MatrixView<int64_t> z) { AddRow(row, z); }

uint64_t ActivateByTable(std::span<const int32_t> z, TruncDivider32 divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> slope_codes) {
  return LookUp(z, divider, table, a, slope_codes);
}

uint64_t ActivateByTable(std::span<const int64_t> z, const TruncDivider64& divider,
                         const ActivationTable& table, std::span<int16_t> a,
                         std::span<uint8_t> slope_codes) {
  return LookUp(z, divider, table, a, slope_codes);
}

uint64_t ActivateLeakyRelu(std::span<const int32_t> z, std::span<int16_t> a,
                           std::span<uint8_t> slope_codes) {
  return ApplyLeakyRelu(z, a, slope_codes);
}

uint64_t ActivateLeakyRelu(std::span<const int64_t> z, std::span<int16_t> a,
                           std::span<uint8_t> slope_codes) {
  return ApplyLeakyRelu(z, a, slope_codes);
}

void ActivateRescale(std::span<const int32_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> slope_codes) {
  Rescale(z, divider, a, slope_codes);
}

void ActivateRescale(std::span<const int64_t> z, const TruncDivider64& divider,
                     std::span<int64_t> a, std::span<uint8_t> slope_codes) {
  Rescale(z, divider, a, slope_codes);
}

void DivideBySlopes(std::span<const uint8_t> slope_codes, std::span<int32_t> d) {
  TALLY_CHECK(slope_codes.size() == d.size());
  Elements().divide_by_slopes(slope_codes.data(), d.size(), d.data());
}

void DivideBySlopes(std::span<const uint8_t> slope_codes, std::span<int64_t> d) {
  TALLY_CHECK(slope_codes.size() == d.size());
  for (size_t i = 0; i < d.size(); ++i) {
    const int64_t slope = kInverseSlopes[slope_codes[i]];
    d[i] = slope == 0 ? 0 : DivTrunc(d[i], slope);
  }
}

}  // namespace tally::kernels
