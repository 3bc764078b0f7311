#include "core/kernels/requantise.h"

#include <algorithm>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/requantise_table.h"

namespace tally::kernels {
namespace {

void Run(const Requantisation& how, RequantiseTask task) {
  TALLY_CHECK(how.shift >= 0 && how.shift <= 31);
  task.shift = how.shift;
  task.lowest = how.relu ? 0 : -kMantissaMax;
  const Rounding rounding = how.shift == 0 ? Rounding::kTowardZero : how.rounding;
  RequantiseOf(ActiveLevel()).loops[static_cast<size_t>(rounding)](task);
}

uint64_t RoundMagnitude(uint64_t magnitude, int32_t shift, Rounding rounding) {
  if (shift == 0) return magnitude;
  const uint64_t quotient = magnitude >> shift;
  const uint64_t dropped = magnitude & ((uint64_t{1} << shift) - 1);
  const int32_t half = shift / 2;
  switch (rounding) {
    case Rounding::kTowardZero:
      return quotient;
    case Rounding::kHalfAwayFromZero:
      return quotient + (dropped >> (shift - 1));
    case Rounding::kPseudoStochastic: {
      const uint64_t dice = (dropped & ((uint64_t{1} << half) - 1)) << (shift & 1);
      return quotient + ((dropped >> half) > dice ? 1 : 0);
    }
  }
  TALLY_CHECK(false);
}

// Rows of steps that are made at a time, a panel's.
constexpr size_t kBlockRows = 256;
constexpr size_t kColumns = PanelSums<int32_t>::kPanelColumns;

// Steps(sums, count, steps) requantises the sums of some rows of a panel.
template <class Sum, class Steps>
void Update(const PanelSums<Sum>& sums, PackedMatrix<int8_t>& weights, const Steps& make_steps) {
  TALLY_CHECK(sums.rows() == weights.rows() && sums.columns() == weights.columns());
  const RequantiseTable& table = RequantiseOf(ActiveLevel());
  constexpr size_t kGroup = PackedMatrix<int8_t>::kGroup;
  alignas(64) int8_t steps[kBlockRows * kColumns];
  for (size_t panel = 0; panel < weights.panels(); ++panel) {
    for (size_t row = 0; row < weights.rows(); row += kBlockRows) {
      const size_t rows = std::min(kBlockRows, weights.rows() - row);
      const size_t lines = (rows + kGroup - 1) / kGroup;
      make_steps(sums.Row(panel, row), rows * kColumns, steps);
      std::fill(steps + rows * kColumns, steps + lines * kGroup * kColumns, int8_t{0});
      table.subtract(steps, lines, weights.Line(panel, row / kGroup));
    }
  }
}

}  // namespace

void Requantise(std::span<const int32_t> sums, const Requantisation& how, std::span<int8_t> out) {
  TALLY_CHECK(out.size() == sums.size());
  Run(how, {sums.data(), nullptr, out.data(), sums.size(), 0, 0});
}

void RequantiseGated(std::span<const int32_t> sums, const Requantisation& how,
                     std::span<const int8_t> gates, std::span<int8_t> out) {
  TALLY_CHECK(out.size() == sums.size() && gates.size() == sums.size());
  Run(how, {sums.data(), gates.data(), out.data(), sums.size(), 0, 0});
}

void UpdateWeights(const PanelSums<int32_t>& sums, const Requantisation& how,
                   PackedMatrix<int8_t>& weights) {
  Requantisation both_signs = how;
  both_signs.relu = false;
  Update(sums, weights, [&](const int32_t* first, size_t count, int8_t* steps) {
    Requantise({first, count}, both_signs, {steps, count});
  });
}

void UpdateWeights(const PanelSums<int64_t>& sums, const Requantisation& how,
                   PackedMatrix<int8_t>& weights) {
  TALLY_CHECK(how.shift >= 0 && how.shift <= 62);
  Update(sums, weights, [&](const int64_t* first, size_t count, int8_t* steps) {
    for (size_t i = 0; i < count; ++i) {
      const uint64_t magnitude = RoundMagnitude(Magnitude(first[i]), how.shift, how.rounding);
      const auto cut = static_cast<int8_t>(std::min<uint64_t>(magnitude, kMantissaMax));
      steps[i] = static_cast<int8_t>(first[i] < 0 ? -cut : cut);
    }
  });
}

}  // namespace tally::kernels
