#include "core/algorithms/niti/loss.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/requantise.h"

namespace tally::niti {
namespace {

constexpr int32_t kOctaves = 10;
constexpr int32_t kSmallExponent = -7;  // and below: the series
constexpr int32_t kLargeExponent = 4;   // one step is more than the window of octaves
constexpr int32_t kLowestExponent = -25;

// floor(x * log2(e)) with log2(e) = 47274 / 32768, and the exponent applied. |o| <= 128, so the
// result stays below 2^13.
int32_t Octave(int8_t o, int32_t exponent) {
  const int32_t t = DivTrunc(int32_t{o} * 47274, 32768);
  return exponent >= 0 ? t * (1 << exponent) : ShiftTrunc(t, -exponent);
}

// The numerators of the softmax into `g`, at most 1023 each; returns their sum.
int64_t Exponentials(std::span<const int8_t> o, int32_t exponent, std::span<int32_t> g) {
  const int32_t capped = std::min(exponent, kLargeExponent);
  int32_t highest = INT32_MIN;
  for (size_t i = 0; i < o.size(); ++i) {
    g[i] = Octave(o[i], capped);
    highest = std::max(highest, g[i]);
  }
  int64_t sum = 0;
  for (int32_t& t : g) {
    t = (1 << std::max(t - highest + kOctaves, 0)) - 1;
    sum += t;
  }
  return sum;
}

// 2^(1 - 2s) + o * 2^(1 - s) + o^2, at most 2^52.
int64_t SeriesTerm(int8_t o, int32_t exponent) {
  const int64_t x = o;
  return (int64_t{1} << (1 - 2 * exponent)) + x * (int64_t{1} << (1 - exponent)) + x * x;
}

// The sum of so many terms fits int64: -25 up to 2,047 classes, -22 for the most.
int32_t LowestSeriesExponent(size_t classes) {
  const int32_t bits = static_cast<int32_t>(std::bit_width(classes));
  return std::max(kLowestExponent, -DivTrunc(61 - bits, 2));
}

void DivideExponentials(std::span<const int8_t> o, int32_t exponent, std::span<int32_t> g) {
  // The largest numerator is 1023, so the sum is not 0.
  const int64_t sum = Exponentials(o, exponent, g);
  for (int32_t& u : g) {
    u = static_cast<int32_t>(DivTrunc(int64_t{u} * kProbabilityOne, sum));
  }
}

void DivideSeries(std::span<const int8_t> o, int32_t exponent, std::span<int32_t> g) {
  const int32_t capped = std::max(exponent, LowestSeriesExponent(o.size()));
  int64_t sum = 0;
  for (const int8_t each : o) sum += SeriesTerm(each, capped);
  for (size_t i = 0; i < o.size(); ++i) {
    g[i] = static_cast<int32_t>(DivTrunc(SeriesTerm(o[i], capped) * kProbabilityOne, sum));
  }
}

constexpr int32_t kFractionBits = 8;
constexpr size_t kFractions = size_t{1} << kFractionBits;
constexpr int32_t kOne = 30;  // 2^30 stands for the largest numerator
constexpr uint64_t kRootOne = uint64_t{1} << 31;

// 2^(30 - i / 256) within 4 units: the powers 2^-(1/2), 2^-(1/4) .. 2^-(1/256), in units of 2^-31,
// are roots of roots, and entry i is the product of those that the bits of i name, from the
// highest, truncated after each.
constexpr std::array<int64_t, kFractions> PowerTable() {
  std::array<uint64_t, kFractionBits> roots = {};
  uint64_t root = kRootOne / 2;
  for (uint64_t& each : roots) each = root = Isqrt(root * kRootOne);
  std::array<int64_t, kFractions> table = {};
  for (size_t i = 0; i < kFractions; ++i) {
    uint64_t power = kRootOne;
    for (size_t bit = 0; bit < kFractionBits; ++bit) {
      if ((i >> (kFractionBits - 1 - bit) & 1u) != 0) power = power * roots[bit] >> 31;
    }
    table[i] = static_cast<int64_t>(power >> 1);
  }
  return table;
}

constexpr std::array<int64_t, kFractions> kPowers = PowerTable();

// o * log2(e) * 2^exponent in units of 1 / 256; |o| <= 128, so the result stays below 2^20.
int32_t FineOctave(int8_t o, int32_t exponent) {
  constexpr int32_t kLog2Bits = 15;  // of 47274
  const int32_t shift = kLog2Bits - kFractionBits - std::min(exponent, kLargeExponent);
  return ShiftHalfAwayFromZero(int32_t{o} * 47274, std::min(shift, 31));
}

void DivideFine(std::span<const int8_t> o, int32_t exponent, std::span<int32_t> g) {
  int32_t highest = INT32_MIN;
  for (size_t i = 0; i < o.size(); ++i) {
    g[i] = FineOctave(o[i], exponent);
    highest = std::max(highest, g[i]);
  }
  int64_t sum = 0;
  for (int32_t& t : g) {
    const auto below = static_cast<uint32_t>(highest - t);
    const uint32_t octaves = below >> kFractionBits;
    t = octaves > kOne ? 0 : static_cast<int32_t>(kPowers[below % kFractions] >> octaves);
    sum += t;
  }
  for (int32_t& u : g) {
    u = static_cast<int32_t>(DivTrunc(int64_t{u} * kProbabilityOne, sum));
  }
}

}  // namespace

int64_t CrossEntropyGradient(NitiSoftmax softmax, std::span<const int8_t> o, int32_t exponent,
                             uint32_t label, std::span<int32_t> g) {
  TALLY_CHECK(g.size() == o.size() && label < o.size());
  if (softmax == NitiSoftmax::kFine) {
    DivideFine(o, exponent, g);
  } else if (exponent > kSmallExponent) {
    DivideExponentials(o, exponent, g);
  } else {
    DivideSeries(o, exponent, g);
  }
  int32_t sum = 0;
  for (const int32_t each : g) sum += each;
  g[label] -= sum;
  return -int64_t{g[label]};
}

void RoundErrors(std::span<const int32_t> g, LossRounding rounding, UniformDraws& draws,
                 uint64_t first_index, std::span<int8_t> e) {
  using kernels::Rounding;
  if (rounding != LossRounding::kStochastic) {
    const Rounding how = rounding == LossRounding::kPseudoStochastic ? Rounding::kPseudoStochastic
                                                                     : Rounding::kHalfAwayFromZero;
    kernels::Requantise(g, {.shift = kErrorShift, .rounding = how}, e);
    return;
  }
  for (size_t i = 0; i < g.size(); ++i) {
    const uint32_t dice = draws.At(first_index + i, 1u << kErrorShift);
    const int32_t rounded = ShiftByDice(g[i], kErrorShift, dice);
    e[i] = SaturateToInt8(Clamp(rounded, -kernels::kMantissaMax, kernels::kMantissaMax));
  }
}

}  // namespace tally::niti
