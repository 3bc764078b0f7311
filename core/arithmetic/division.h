// Division by a number that stays the same over a whole array, without a division instruction.
//
// |n| / d is computed as (|n| * m) >> k with m = ceil(2^k / d), and the sign is put back. With
// l = ceil(log2 d) and k = N + l the result is exact for all |n| <= 2^N: m * d exceeds 2^k by some
// e < d <= 2^l, so the error n * e / (d * 2^k) stays below 1 / d, the smallest distance to the next
// integer. N = 31 for int32 and 63 for int64, the lowest values included.
// Source: Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI
// 1994.

#ifndef TALLY_CORE_ARITHMETIC_DIVISION_H_
#define TALLY_CORE_ARITHMETIC_DIVISION_H_

#include <cstdint>

#include "core/arithmetic/rounding.h"

namespace tally {

// The upper 64 bits of a 64 x 64 bit product.
constexpr uint64_t MultiplyHigh(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
  __extension__ using Uint128 = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Uint128>(a) * b) >> 64);
#else
  const uint64_t a_low = a & 0xffffffffu;
  const uint64_t a_high = a >> 32;
  const uint64_t b_low = b & 0xffffffffu;
  const uint64_t b_high = b >> 32;
  const uint64_t middle = a_high * b_low + ((a_low * b_low) >> 32);
  const uint64_t carry = (middle & 0xffffffffu) + a_low * b_high;
  return a_high * b_high + (middle >> 32) + (carry >> 32);
#endif
}

// Truncating division of int32 by a fixed divisor in [1, 2^31 - 1]. Divide is branch-free and made
// of 32 x 32 -> 64 bit multiplications, which compilers vectorise; copy the divider into a local
// before a loop that writes through pointers.
class TruncDivider32 {
 public:
  explicit constexpr TruncDivider32(int32_t divisor)
      : divisor_(divisor), shift_(31 + CeilLog2(static_cast<uint64_t>(divisor))) {
    const uint64_t d = static_cast<uint64_t>(divisor);
    multiplier_ = static_cast<uint32_t>(((uint64_t{1} << shift_) + d - 1) / d);
  }

  constexpr int32_t divisor() const { return divisor_; }
  // What kernels that divide whole vectors need: |n| / divisor is (|n| * multiplier) >> shift.
  constexpr uint32_t multiplier() const { return multiplier_; }
  constexpr int32_t shift() const { return shift_; }

  // |n| / divisor for |n| <= 2^31.
  constexpr uint32_t DivideMagnitude(uint32_t magnitude) const {
    return static_cast<uint32_t>((uint64_t{magnitude} * multiplier_) >> shift_);
  }

  constexpr int32_t Divide(int32_t dividend) const {
    const uint32_t sign = 0u - (static_cast<uint32_t>(dividend) >> 31);
    const uint32_t magnitude = (static_cast<uint32_t>(dividend) ^ sign) - sign;
    return static_cast<int32_t>((DivideMagnitude(magnitude) ^ sign) - sign);
  }

 private:
  int32_t divisor_;
  int32_t shift_;
  uint32_t multiplier_;
};

// Truncating division of int64 by a fixed divisor in [1, 2^40].
class TruncDivider64 {
 public:
  explicit constexpr TruncDivider64(int64_t divisor)
      : divisor_(divisor), extra_shift_(CeilLog2(static_cast<uint64_t>(divisor)) - 1) {
    if (divisor == 1) {
      return;  // Divide returns the dividend; the multiplier would be 2^63 with a shift of -1.
    }
    // ceil(2^(63 + l) / d) by long division, one bit of the quotient a turn.
    const uint64_t d = static_cast<uint64_t>(divisor);
    uint64_t quotient = 0;
    uint64_t rest = 1;
    for (int32_t bit = 0; bit < 64 + extra_shift_; ++bit) {
      rest <<= 1;
      quotient <<= 1;
      if (rest >= d) {
        rest -= d;
        quotient |= 1;
      }
    }
    multiplier_ = rest == 0 ? quotient : quotient + 1;
  }

  constexpr int64_t divisor() const { return divisor_; }

  constexpr uint64_t DivideMagnitude(uint64_t magnitude) const {
    return divisor_ == 1 ? magnitude : MultiplyHigh(magnitude, multiplier_) >> extra_shift_;
  }

  constexpr int64_t Divide(int64_t dividend) const {
    const uint64_t quotient = DivideMagnitude(Magnitude(dividend));
    return static_cast<int64_t>(dividend < 0 ? uint64_t{0} - quotient : quotient);
  }

 private:
  int64_t divisor_;
  int32_t extra_shift_;  // l - 1: the first 64 bits of the shift by 63 + l are in MultiplyHigh
  uint64_t multiplier_ = 0;
};

}  // namespace tally

#endif  // TALLY_CORE_ARITHMETIC_DIVISION_H_
