#include "tests/core/oracle/slow_niti_arithmetic.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tally::oracle {
namespace {

int64_t PowerOfTwo(int64_t exponent) {
  int64_t power = 1;
  for (int64_t i = 0; i < exponent; ++i) power *= 2;
  return power;
}

int64_t Digits(int64_t m) {
  int64_t digits = 0;
  for (; m > 0; m /= 2) ++digits;
  return digits;
}

int64_t WithSignOf(int64_t x, int64_t magnitude) { return x < 0 ? -magnitude : magnitude; }

// Logits of normal size: powers of two in a window of ten octaves below the largest.
std::vector<int64_t> Octaves(const std::vector<int64_t>& logits, int64_t exponent) {
  std::vector<int64_t> t;
  for (const int64_t o : logits) {
    const int64_t log2 = o * 47274 / 32768;
    t.push_back(exponent >= 0 ? log2 * PowerOfTwo(std::min<int64_t>(exponent, 4))
                              : log2 / PowerOfTwo(-exponent));
  }
  const int64_t top = *std::max_element(t.begin(), t.end());
  for (int64_t& value : t) value = PowerOfTwo(std::max<int64_t>(value - top + 10, 0)) - 1;
  return t;
}

// Tiny logits: 1 + x + x^2 / 2, times 2^(1 - 2s).
std::vector<int64_t> Parabolas(const std::vector<int64_t>& logits, int64_t exponent) {
  const int64_t s = std::max<int64_t>(exponent, -25);
  std::vector<int64_t> u;
  for (const int64_t o : logits) u.push_back(PowerOfTwo(1 - 2 * s) + o * PowerOfTwo(1 - s) + o * o);
  return u;
}

// Numerators of a softmax to errors in units of 1 / 2048 that sum up to 0.
std::vector<int64_t> ErrorsOf(std::vector<int64_t> g, size_t label) {
  int64_t sum = 0;
  for (const int64_t u : g) sum += u;
  int64_t shares = 0;
  for (int64_t& u : g) {
    u = u * 2048 / sum;
    shares += u;
  }
  g[label] -= shares;
  return g;
}

// The largest r with r * r <= x, by halving; x below 2^62.
int64_t SquareRoot(int64_t x) {
  int64_t low = 0;
  int64_t high = PowerOfTwo(31);
  while (high - low > 1) {
    const int64_t middle = (low + high) / 2;
    (middle * middle <= x ? low : high) = middle;
  }
  return low;
}

}  // namespace

uint64_t SlowSplitMix64(uint64_t x) {
  uint64_t z = x + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int64_t Clip127(int64_t x) { return std::clamp<int64_t>(x, -127, 127); }

int64_t MaxMagnitude(const std::vector<int64_t>& values) {
  int64_t max = 0;
  for (const int64_t value : values) max = std::max(max, std::abs(value));
  return max;
}

int64_t ActivationRange(int64_t max_magnitude) {
  return max_magnitude == 0 ? 0 : Digits(max_magnitude - 1);
}

int64_t GradientRange(int64_t max_magnitude) {
  return max_magnitude == 1 ? 1 : ActivationRange(max_magnitude);
}

int64_t RoundShiftUnclipped(int64_t x, int64_t k) {
  const int64_t unit = PowerOfTwo(k);
  const int64_t m = std::abs(x);
  return WithSignOf(x, m / unit + (m % unit >= unit / 2 ? 1 : 0));
}

int64_t PstoShiftUnclipped(int64_t x, int64_t k) {
  const int64_t unit = PowerOfTwo(k);
  const int64_t half = PowerOfTwo(k / 2);
  const int64_t m = std::abs(x);
  const int64_t f = m % unit;
  const int64_t dice = f % half * (k % 2 == 1 ? 2 : 1);
  return WithSignOf(x, m / unit + (f / half > dice ? 1 : 0));
}

int64_t RoundShift(int64_t x, int64_t k) { return Clip127(RoundShiftUnclipped(x, k)); }
int64_t PstoShift(int64_t x, int64_t k) { return Clip127(PstoShiftUnclipped(x, k)); }

int64_t Wrapped(int64_t x) { return x == 128 ? -128 : x; }

int64_t Requantise(std::vector<int64_t>& values, bool wraps) {
  const int64_t k = ActivationRange(MaxMagnitude(values)) - 7;
  for (int64_t& value : values) {
    if (k > 0) {
      value = RoundShift(value, k);
    } else {
      value = wraps ? Wrapped(value) : Clip127(value);
    }
  }
  return std::max<int64_t>(k, 0);
}

int64_t UpdateStep(int64_t g, int64_t k) { return k >= 1 ? PstoShift(g, k) : Clip127(g); }

int64_t TimesPowerOfTwo(int64_t x, int64_t exponent) {
  return exponent >= 0 ? x * PowerOfTwo(exponent) : x / PowerOfTwo(-exponent);
}

int64_t PowerOfFraction(int64_t i) {
  const int64_t one = PowerOfTwo(31);
  int64_t root = one / 2;
  int64_t power = one;
  for (int64_t digit = 128; digit >= 1; digit /= 2) {
    root = SquareRoot(root * one);
    if (i / digit % 2 == 1) power = power * root / one;
  }
  return power;
}

std::vector<int64_t> FineLossGradient(const std::vector<int64_t>& logits, int64_t exponent,
                                      size_t label) {
  // o * 47274 / 32768 * 256 is o * 47274 / 2^7.
  const int64_t shift = std::clamp<int64_t>(7 - exponent, 3, 40);
  std::vector<int64_t> g;
  for (const int64_t o : logits) g.push_back(RoundShiftUnclipped(o * 47274, shift));
  const int64_t top = *std::max_element(g.begin(), g.end());
  for (int64_t& value : g) {
    const int64_t octaves = (top - value) / 256;
    const int64_t numerator = PowerOfFraction((top - value) % 256) / 2;
    value = octaves > 40 ? 0 : numerator / PowerOfTwo(octaves);
  }
  return ErrorsOf(std::move(g), label);
}

std::vector<int64_t> LossGradient(const std::vector<int64_t>& logits, int64_t exponent,
                                  size_t label) {
  std::vector<int64_t> g = exponent > -7 ? Octaves(logits, exponent) : Parabolas(logits, exponent);
  return ErrorsOf(std::move(g), label);
}

}  // namespace tally::oracle
