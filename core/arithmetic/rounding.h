// Integer primitives whose name is their rounding. Algorithm code uses these instead of `/`, `>>`
// and narrowing casts, so that every rounding decision can be read off the page.

#ifndef TALLY_CORE_ARITHMETIC_ROUNDING_H_
#define TALLY_CORE_ARITHMETIC_ROUNDING_H_

#include <bit>
#include <cstdint>
#include <limits>

namespace tally {

// |x| as unsigned, so that the lowest value has a magnitude too.
constexpr uint32_t Magnitude(int32_t x) {
  return x < 0 ? 0u - static_cast<uint32_t>(x) : static_cast<uint32_t>(x);
}
constexpr uint64_t Magnitude(int64_t x) {
  return x < 0 ? uint64_t{0} - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
}

// Quotient rounded toward zero. `divisor` is not 0; the lowest value over -1 is not allowed.
constexpr int32_t DivTrunc(int32_t dividend, int32_t divisor) { return dividend / divisor; }
constexpr int64_t DivTrunc(int64_t dividend, int64_t divisor) { return dividend / divisor; }

// Quotient rounded toward minus infinity. Same limits as DivTrunc.
constexpr int32_t DivFloor(int32_t dividend, int32_t divisor) {
  const int32_t quotient = dividend / divisor;
  const bool exact = quotient * divisor == dividend;
  return !exact && (dividend < 0) != (divisor < 0) ? quotient - 1 : quotient;
}
constexpr int64_t DivFloor(int64_t dividend, int64_t divisor) {
  const int64_t quotient = dividend / divisor;
  const bool exact = quotient * divisor == dividend;
  return !exact && (dividend < 0) != (divisor < 0) ? quotient - 1 : quotient;
}

// x / 2^shift rounded toward zero; `shift` in [0, 31]. A plain `>>` would round toward minus
// infinity, which biases every small negative sum by -1.
constexpr int32_t ShiftTrunc(int32_t x, int32_t shift) {
  const uint32_t quotient = Magnitude(x) >> shift;
  return static_cast<int32_t>(x < 0 ? 0u - quotient : quotient);
}

// x / 2^shift rounded to the nearest, halves away from zero; `shift` in [1, 31].
constexpr int32_t ShiftHalfAwayFromZero(int32_t x, int32_t shift) {
  const uint32_t magnitude = Magnitude(x);
  const uint32_t quotient = (magnitude >> shift) + ((magnitude >> (shift - 1)) & 1u);
  return static_cast<int32_t>(x < 0 ? 0u - quotient : quotient);
}

// x / 2^shift, its magnitude rounded up when the upper half of the dropped bits beats the lower
// half, which serves as the dice: deterministic, and unbiased over evenly spread values. With an
// odd `shift` the lower half has one bit less and is doubled. `shift` in [1, 31]. Source: NITI,
// arXiv:2009.13108 (pseudo-stochastic rounding).
constexpr int64_t ShiftPseudoStochastic(int64_t x, int32_t shift) {  // `shift` in [1, 62]
  const uint64_t magnitude = Magnitude(x);
  const uint64_t dropped = magnitude & ((uint64_t{1} << shift) - 1);
  const int32_t half = shift / 2;
  const uint64_t dice = (dropped & ((uint64_t{1} << half) - 1)) << (shift & 1);
  const uint64_t quotient = (magnitude >> shift) + ((dropped >> half) > dice ? 1u : 0u);
  return static_cast<int64_t>(x < 0 ? uint64_t{0} - quotient : quotient);
}
constexpr int32_t ShiftPseudoStochastic(int32_t x, int32_t shift) {
  const uint32_t magnitude = Magnitude(x);
  const uint32_t dropped = magnitude & ((1u << shift) - 1u);
  const int32_t half = shift / 2;
  const uint32_t dice = (dropped & ((1u << half) - 1u)) << (shift & 1);
  const uint32_t quotient = (magnitude >> shift) + ((dropped >> half) > dice ? 1u : 0u);
  return static_cast<int32_t>(x < 0 ? 0u - quotient : quotient);
}

// x / 2^shift, its magnitude rounded up when the dropped bits are more than `dice`, a uniform draw
// from [0, 2^shift): right on average. `shift` in [1, 31].
constexpr int32_t ShiftByDice(int32_t x, int32_t shift, uint32_t dice) {
  const uint32_t magnitude = Magnitude(x);
  const uint32_t dropped = magnitude & ((1u << shift) - 1u);
  const uint32_t quotient = (magnitude >> shift) + (dropped > dice ? 1u : 0u);
  return static_cast<int32_t>(x < 0 ? 0u - quotient : quotient);
}

// x cut to [low, high].
template <class Integer>
constexpr Integer Clamp(Integer x, Integer low, Integer high) {
  return x < low ? low : (x > high ? high : x);
}

// x cut to the range of the type.
constexpr int8_t SaturateToInt8(int64_t x) {
  return static_cast<int8_t>(Clamp<int64_t>(x, INT8_MIN, INT8_MAX));
}
constexpr int16_t SaturateToInt16(int64_t x) {
  return static_cast<int16_t>(Clamp<int64_t>(x, INT16_MIN, INT16_MAX));
}
constexpr int32_t SaturateToInt32(int64_t x) {
  return static_cast<int32_t>(Clamp<int64_t>(x, INT32_MIN, INT32_MAX));
}

// Two's-complement arithmetic modulo 2^32 and 2^64.
constexpr int32_t WrappingAdd(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}
constexpr int64_t WrappingAdd(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
constexpr int32_t WrappingSubtract(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b));
}
constexpr int32_t WrappingMultiply(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
}

// Worst-case bounds: sums and products that stop at the highest value instead of wrapping.
constexpr uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  const uint64_t sum = a + b;
  return sum < a ? std::numeric_limits<uint64_t>::max() : sum;
}
constexpr uint64_t SaturatingMultiply(uint64_t a, uint64_t b) {
  if (a != 0 && b > std::numeric_limits<uint64_t>::max() / a) {
    return std::numeric_limits<uint64_t>::max();
  }
  return a * b;
}

// floor(sqrt(x)), digit by digit in base 4.
constexpr uint32_t Isqrt(uint64_t x) {
  uint64_t rest = x;
  uint64_t root = 0;
  for (uint64_t bit = uint64_t{1} << 62; bit != 0; bit >>= 2) {
    if (rest >= root + bit) {
      rest -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return static_cast<uint32_t>(root);
}

// ceil(log2(x)) for x >= 1: the least n with x <= 2^n.
constexpr int32_t CeilLog2(uint64_t x) {
  return x <= 1 ? 0 : static_cast<int32_t>(std::bit_width(x - 1));
}

}  // namespace tally

#endif  // TALLY_CORE_ARITHMETIC_ROUNDING_H_
