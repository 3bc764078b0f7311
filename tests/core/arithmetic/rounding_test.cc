// Goal: pin every rounding decision of the named primitives.
// Method: hand-computed edges, then exhaustive ranges against definitions written with int64
// division.

#include "core/arithmetic/rounding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>

namespace tally {
namespace {

int64_t Sign(int64_t x) { return (x > 0) - (x < 0); }

TEST(RoundingTest, DivTruncGoesTowardZeroAndDivFloorTowardMinusInfinity) {
  EXPECT_EQ(DivTrunc(7, 2), 3);
  EXPECT_EQ(DivTrunc(-7, 2), -3);
  EXPECT_EQ(DivTrunc(int64_t{-7}, int64_t{-2}), 3);
  EXPECT_EQ(DivFloor(7, 2), 3);
  EXPECT_EQ(DivFloor(-7, 2), -4);
  EXPECT_EQ(DivFloor(7, -2), -4);
  EXPECT_EQ(DivFloor(-8, 2), -4);
  EXPECT_EQ(DivFloor(int64_t{-1}, int64_t{1000}), -1);
}

TEST(RoundingTest, MagnitudeCoversTheLowestValues) {
  EXPECT_EQ(Magnitude(INT32_MIN), 2147483648u);
  EXPECT_EQ(Magnitude(INT64_MIN), uint64_t{1} << 63);
  EXPECT_EQ(Magnitude(int32_t{-5}), 5u);
}

TEST(RoundingTest, ShiftTruncIsDivisionByThePowerOfTwo) {
  for (int32_t shift = 0; shift <= 20; ++shift) {
    for (int32_t x = -70000; x <= 70000; x += 7) {
      ASSERT_EQ(ShiftTrunc(x, shift), x / (1 << shift)) << x << " " << shift;
    }
  }
  EXPECT_EQ(ShiftTrunc(INT32_MIN, 31), -1);
}

TEST(RoundingTest, ShiftHalfAwayFromZeroAgreesWithTheDefinition) {
  for (int32_t shift = 1; shift <= 18; ++shift) {
    const int64_t unit = int64_t{1} << shift;
    for (int64_t x = -70000; x <= 70000; ++x) {
      const int64_t expected = Sign(x) * ((std::abs(x) * 2 + unit) / (2 * unit));
      ASSERT_EQ(ShiftHalfAwayFromZero(static_cast<int32_t>(x), shift), expected) << x;
    }
  }
  EXPECT_EQ(ShiftHalfAwayFromZero(INT32_MIN, 31), -1);
  EXPECT_EQ(ShiftHalfAwayFromZero(INT32_MAX, 31), 1);
}

TEST(RoundingTest, ShiftPseudoStochasticComparesTheHalvesOfTheDroppedBits) {
  EXPECT_EQ(ShiftPseudoStochastic(1, 1), 1);  // one dropped bit rounds away from zero
  EXPECT_EQ(ShiftPseudoStochastic(-1, 1), -1);
  EXPECT_EQ(ShiftPseudoStochastic(1, 2), 0);  // 01: dice 1 beats 0
  EXPECT_EQ(ShiftPseudoStochastic(2, 2), 1);  // 10
  EXPECT_EQ(ShiftPseudoStochastic(3, 2), 0);  // 11: a draw does not round up
  EXPECT_EQ(ShiftPseudoStochastic(0, 5), 0);
  for (int32_t shift = 1; shift <= 16; ++shift) {
    for (int64_t x = -70000; x <= 70000; ++x) {
      const int64_t magnitude = std::abs(x);
      const int64_t dropped = magnitude % (int64_t{1} << shift);
      const int64_t half = shift / 2;
      const int64_t upper = dropped / (int64_t{1} << half);
      const int64_t lower = dropped % (int64_t{1} << half) * (shift % 2 == 1 ? 2 : 1);
      const int64_t expected =
          Sign(x) * (magnitude / (int64_t{1} << shift) + (upper > lower ? 1 : 0));
      ASSERT_EQ(ShiftPseudoStochastic(static_cast<int32_t>(x), shift), expected)
          << x << " " << shift;
    }
  }
}

TEST(RoundingTest, SaturationStopsAtTheEndsOfTheType) {
  EXPECT_EQ(SaturateToInt8(127), 127);
  EXPECT_EQ(SaturateToInt8(128), 127);
  EXPECT_EQ(SaturateToInt8(-129), -128);
  EXPECT_EQ(SaturateToInt16(32768), 32767);
  EXPECT_EQ(SaturateToInt16(-40000), -32768);
  EXPECT_EQ(SaturateToInt32(INT64_MAX), INT32_MAX);
  EXPECT_EQ(SaturateToInt32(INT64_MIN), INT32_MIN);
  EXPECT_EQ(SaturateToInt32(-5), -5);
  EXPECT_EQ(Clamp(5, -3, 3), 3);
  EXPECT_EQ(Clamp(-5, -3, 3), -3);
}

TEST(RoundingTest, WrappingArithmeticIsModuloThePowerOfTwo) {
  EXPECT_EQ(WrappingAdd(INT32_MAX, 1), INT32_MIN);
  EXPECT_EQ(WrappingAdd(INT64_MAX, int64_t{1}), INT64_MIN);
  EXPECT_EQ(WrappingSubtract(INT32_MIN, 1), INT32_MAX);
  EXPECT_EQ(WrappingMultiply(65536, 65536), 0);
}

TEST(RoundingTest, WorstCaseBoundsSaturate) {
  const uint64_t top = std::numeric_limits<uint64_t>::max();
  EXPECT_EQ(SaturatingAdd(top, 1), top);
  EXPECT_EQ(SaturatingAdd(top - 1, 1), top);
  EXPECT_EQ(SaturatingMultiply(top / 3, 4), top);
  EXPECT_EQ(SaturatingMultiply(0, top), 0u);
  EXPECT_EQ(SaturatingMultiply(3, 5), 15u);
}

TEST(RoundingTest, IsqrtIsTheLargestRootNotAbove) {
  for (uint64_t x = 0; x < 100000; ++x) {
    const uint64_t root = Isqrt(x);
    ASSERT_LE(root * root, x);
    ASSERT_GT((root + 1) * (root + 1), x);
  }
  EXPECT_EQ(Isqrt(393204 / 884), 21u);
  EXPECT_EQ(Isqrt(std::numeric_limits<uint64_t>::max()), 4294967295u);
  EXPECT_EQ(Isqrt(uint64_t{4294967295} * 4294967295), 4294967295u);
  EXPECT_EQ(Isqrt(uint64_t{4294967295} * 4294967295 - 1), 4294967294u);
}

TEST(RoundingTest, CeilLog2IsTheLeastPowerNotBelow) {
  EXPECT_EQ(CeilLog2(1), 0);
  EXPECT_EQ(CeilLog2(2), 1);
  EXPECT_EQ(CeilLog2(127), 7);
  EXPECT_EQ(CeilLog2(128), 7);
  EXPECT_EQ(CeilLog2(129), 8);
}

}  // namespace
}  // namespace tally
