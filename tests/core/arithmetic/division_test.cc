// Goal: division by invariants equals the division operator everywhere.
// Method: quotient boundaries of many divisors and the ends of the ranges, then random pairs.

#include "core/arithmetic/division.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace tally {
namespace {

// operator/ in a wider type, so that no pair overflows.
int32_t Oracle(int32_t dividend, int32_t divisor) {
  return static_cast<int32_t>(int64_t{dividend} / divisor);
}

void CheckAroundBoundaries(int32_t divisor) {
  const TruncDivider32 divider(divisor);
  ASSERT_EQ(divider.divisor(), divisor);
  for (const int64_t quotient : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{1000},
                                 int64_t{INT32_MAX} / divisor, int64_t{INT32_MAX} / divisor - 1}) {
    for (int64_t offset = -2; offset <= 2; ++offset) {
      for (const int64_t sign : {-1, 1}) {
        const int64_t dividend = sign * (quotient * divisor + offset);
        if (dividend < INT32_MIN || dividend > INT32_MAX) continue;
        const int32_t n = static_cast<int32_t>(dividend);
        ASSERT_EQ(divider.Divide(n), Oracle(n, divisor)) << n << " / " << divisor;
      }
    }
  }
  ASSERT_EQ(divider.Divide(INT32_MIN), Oracle(INT32_MIN, divisor)) << divisor;
  ASSERT_EQ(divider.Divide(INT32_MAX), Oracle(INT32_MAX, divisor)) << divisor;
}

TEST(TruncDivider32Test, EqualsTheOperatorAroundEveryQuotientBoundary) {
  for (int32_t divisor = 1; divisor <= 20000; ++divisor) {
    CheckAroundBoundaries(divisor);
  }
  for (int32_t power = 1; power <= 30; ++power) {
    for (int32_t offset = -1; offset <= 1; ++offset) {
      if ((1 << power) + offset > 0) {
        CheckAroundBoundaries((1 << power) + offset);
      }
    }
  }
  CheckAroundBoundaries(INT32_MAX);
  CheckAroundBoundaries(INT32_MAX - 1);
}

TEST(TruncDivider32Test, EqualsTheOperatorOnEveryMultipleOfAPixelSumDivisor) {
  const TruncDivider32 divider(200704);  // 256 * 784
  for (int64_t n = INT32_MIN; n <= INT32_MAX; n += 9973) {
    const int32_t dividend = static_cast<int32_t>(n);
    ASSERT_EQ(divider.Divide(dividend), Oracle(dividend, 200704));
  }
}

TEST(TruncDivider32Test, EqualsTheOperatorOnRandomPairs) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 300000; ++i) {
    const uint64_t bits = random();
    const int32_t dividend = static_cast<int32_t>(bits);
    const int32_t shift = static_cast<int32_t>(random() % 31);
    const int32_t divisor = static_cast<int32_t>(((bits >> 33) >> shift) | 1u);
    const TruncDivider32 divider(divisor);
    ASSERT_EQ(divider.Divide(dividend), Oracle(dividend, divisor)) << dividend << " / " << divisor;
  }
}

TEST(TruncDivider64Test, EqualsTheOperatorAtTheEndsAndAroundBoundaries) {
  std::vector<int64_t> divisors = {1, 2, 3, 5, 7, 1000, 200704, INT32_MAX, int64_t{1} << 40};
  for (int32_t power = 2; power < 40; ++power) {
    divisors.push_back((int64_t{1} << power) - 1);
    divisors.push_back(int64_t{1} << power);
    divisors.push_back((int64_t{1} << power) + 1);
  }
  for (const int64_t divisor : divisors) {
    const TruncDivider64 divider(divisor);
    ASSERT_EQ(divider.Divide(INT64_MIN), INT64_MIN / divisor) << divisor;
    ASSERT_EQ(divider.Divide(INT64_MAX), INT64_MAX / divisor) << divisor;
    for (const int64_t quotient : {int64_t{0}, int64_t{1}, int64_t{12345}, INT64_MAX / divisor}) {
      for (int64_t offset = -2; offset <= 0; ++offset) {
        const int64_t dividend = quotient * divisor + offset;
        ASSERT_EQ(divider.Divide(dividend), dividend / divisor) << dividend << " / " << divisor;
        ASSERT_EQ(divider.Divide(-dividend), -dividend / divisor) << dividend << " / " << divisor;
      }
    }
  }
}

TEST(TruncDivider64Test, EqualsTheOperatorOnRandomPairs) {
  std::mt19937_64 random(11);
  for (int i = 0; i < 200000; ++i) {
    const int64_t dividend = static_cast<int64_t>(random()) >> (random() % 63);
    const int64_t divisor =
        static_cast<int64_t>(random() % (uint64_t{1} << (random() % 40 + 1))) + 1;
    const TruncDivider64 divider(divisor);
    ASSERT_EQ(divider.Divide(dividend), dividend / divisor) << dividend << " / " << divisor;
  }
}

TEST(MultiplyHighTest, IsTheUpperHalfOfTheProduct) {
  EXPECT_EQ(MultiplyHigh(~uint64_t{0}, ~uint64_t{0}), ~uint64_t{0} - 1);
  EXPECT_EQ(MultiplyHigh(uint64_t{1} << 63, 2), 1u);
  EXPECT_EQ(MultiplyHigh(0xffffffffu, 0xffffffffu), 0u);
}

}  // namespace
}  // namespace tally
