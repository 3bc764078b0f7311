// Goal: each update rounding moves weights exactly as defined, and counts those it cut.
// Method: random and extreme sums, weights and divisors against the slow reference, in both widths.

#include "core/kernels/update.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/reference.h"

namespace tally {
namespace {

namespace reference = kernels::reference;

constexpr int32_t kInverses[] = {1, 2, 3, 7, 1000, 1024, 65535, 65536, 1000003, INT32_MAX};
constexpr int32_t kLimits[] = {1, 127, 32767};
constexpr size_t kCount = 2003;

struct Case {
  int32_t inverse;
  int32_t limit;
  std::vector<int16_t> weights;
  std::vector<int32_t> residuals;  // |residual| < inverse
};

template <class Visit>
void ForEachCase(std::mt19937_64& random, const Visit& visit) {
  for (const int32_t inverse : kInverses) {
    for (const int32_t limit : kLimits) {
      Case c{inverse, limit, {}, {}};
      for (size_t i = 0; i < kCount; ++i) {
        const auto span = static_cast<uint64_t>(2 * limit + 1);
        const int64_t uniform = static_cast<int64_t>(random() % span) - limit;
        c.weights.push_back(static_cast<int16_t>(i % 7 == 0   ? limit
                                                 : i % 7 == 1 ? -limit
                                                              : uniform));
        const int64_t residual =
            static_cast<int64_t>(random() % (2 * static_cast<uint64_t>(inverse) - 1)) -
            (inverse - 1);
        c.residuals.push_back(static_cast<int32_t>(i % 11 == 0   ? inverse - 1
                                                   : i % 11 == 1 ? 1 - inverse
                                                                 : residual));
      }
      SCOPED_TRACE(testing::Message() << "inverse " << inverse << " limit " << limit);
      visit(c);
    }
  }
}

// Sums of every size up to the largest that the caller may pass.
template <class Sum>
std::vector<Sum> MakeSums(std::mt19937_64& random, int64_t magnitude_max) {
  std::vector<Sum> sums;
  for (size_t i = 0; i < kCount; ++i) {
    int64_t sum = static_cast<int64_t>(random() >> (1 + random() % 62));
    sum = std::min(sum, magnitude_max);
    if (i % 13 == 0) sum = magnitude_max;
    if (i % 13 == 1) sum = 0;
    sums.push_back(static_cast<Sum>(random() % 2 == 0 ? sum : -sum));
  }
  return sums;
}

template <class Sum>
void CheckTowardZero(int64_t magnitude_max) {
  std::mt19937_64 random(1);
  ForEachCase(random, [&](const Case& c) {
    const std::vector<Sum> sums = MakeSums<Sum>(random, magnitude_max);
    std::vector<int16_t> weights = c.weights;
    const uint64_t cut = kernels::UpdateTowardZero(kernels::UpdateRule(c.inverse, c.limit),
                                                   std::span<const Sum>(sums), weights);
    uint64_t expected_cut = 0;
    for (size_t i = 0; i < kCount; ++i) {
      const auto expected = reference::UpdateTowardZero(c.weights[i], sums[i], c.inverse, c.limit);
      ASSERT_EQ(weights[i], expected.weight) << "w " << c.weights[i] << " sum " << sums[i];
      expected_cut += expected.cut ? 1 : 0;
    }
    ASSERT_EQ(cut, expected_cut);
  });
}

TEST(UpdateTest, TowardZeroEqualsTheDefinition) {
  CheckTowardZero<int32_t>(INT32_MAX);
  CheckTowardZero<int64_t>(INT64_MAX - 40000);
}

template <class Sum>
void CheckErrorFeedback(int64_t sum_type_max) {
  std::mt19937_64 random(2);
  ForEachCase(random, [&](const Case& c) {
    const std::vector<Sum> sums = MakeSums<Sum>(random, sum_type_max - c.inverse);
    std::vector<int16_t> weights = c.weights;
    std::vector<int32_t> residuals = c.residuals;
    const uint64_t cut = kernels::UpdateWithErrorFeedback(
        kernels::UpdateRule(c.inverse, c.limit), std::span<const Sum>(sums), residuals, weights);
    uint64_t expected_cut = 0;
    for (size_t i = 0; i < kCount; ++i) {
      const auto expected = reference::UpdateWithErrorFeedback(c.weights[i], c.residuals[i],
                                                               sums[i], c.inverse, c.limit);
      ASSERT_EQ(weights[i], expected.weight) << "w " << c.weights[i] << " sum " << sums[i];
      ASSERT_EQ(residuals[i], expected.residual);
      ASSERT_LT(std::abs(int64_t{residuals[i]}), c.inverse);
      expected_cut += expected.cut ? 1 : 0;
    }
    ASSERT_EQ(cut, expected_cut);
  });
}

TEST(UpdateTest, ErrorFeedbackEqualsTheDefinitionAndKeepsTheRemainder) {
  CheckErrorFeedback<int32_t>(INT32_MAX);
  CheckErrorFeedback<int64_t>(INT64_MAX - 40000);
}

TEST(UpdateTest, ErrorFeedbackLosesNothingInTheLongRun) {
  // 1000 sums of 3 make three steps of 1000; truncation alone would never move.
  std::vector<int16_t> weights = {0};
  std::vector<int32_t> residuals = {0};
  const std::vector<int32_t> sums = {3};
  const kernels::UpdateRule rule(1000, 32767);
  for (int i = 0; i < 1000; ++i) {
    kernels::UpdateWithErrorFeedback(rule, std::span<const int32_t>(sums), residuals, weights);
  }
  EXPECT_EQ(weights[0], -3);
  EXPECT_EQ(residuals[0], 0);
}

TEST(UpdateTest, ErrorFeedbackTakesUpAResidualThatASmallerDivisorMadeWhole) {
  std::vector<int16_t> weights = {10};
  std::vector<int32_t> residuals = {999};
  const std::vector<int32_t> sums = {0};
  kernels::UpdateWithErrorFeedback(kernels::UpdateRule(100, 32767), std::span<const int32_t>(sums),
                                   residuals, weights);
  EXPECT_EQ(weights[0], 1);
  EXPECT_EQ(residuals[0], 99);
}

template <class Sum>
void CheckStochastic(int64_t magnitude_max) {
  std::mt19937_64 random(3);
  ForEachCase(random, [&](const Case& c) {
    const std::vector<Sum> sums = MakeSums<Sum>(random, magnitude_max);
    std::vector<int16_t> weights = c.weights;
    UniformDraws draws(9, 41, 4);
    UniformDraws expected_draws(9, 41, 4);
    constexpr uint64_t kFirst = 1001;
    const uint64_t cut =
        kernels::UpdateStochastic(kernels::UpdateRule(c.inverse, c.limit),
                                  std::span<const Sum>(sums), draws, kFirst, weights);
    uint64_t expected_cut = 0;
    for (size_t i = 0; i < kCount; ++i) {
      const uint32_t draw = expected_draws.At(kFirst + i, static_cast<uint32_t>(c.inverse));
      const auto expected =
          reference::UpdateStochastic(c.weights[i], sums[i], draw, c.inverse, c.limit);
      ASSERT_EQ(weights[i], expected.weight) << "w " << c.weights[i] << " sum " << sums[i];
      expected_cut += expected.cut ? 1 : 0;
    }
    ASSERT_EQ(cut, expected_cut);
  });
}

TEST(UpdateTest, StochasticEqualsTheDefinition) {
  CheckStochastic<int32_t>(INT32_MAX);
  CheckStochastic<int64_t>(INT64_MAX - 40000);
}

TEST(UpdateTest, StochasticRoundingIsRightOnAverage) {
  const std::vector<int32_t> sums(10000, -250);
  std::vector<int16_t> weights(10000, 0);
  UniformDraws draws(1, 0, 4);
  kernels::UpdateStochastic(kernels::UpdateRule(1000, 32767), std::span<const int32_t>(sums), draws,
                            0, weights);
  EXPECT_NEAR(std::count(weights.begin(), weights.end(), 1), 2500, 150);
  EXPECT_EQ(
      std::count(weights.begin(), weights.end(), 0) + std::count(weights.begin(), weights.end(), 1),
      10000);
}

TEST(UpdateTest, BlocksOfLongArraysDoNotDisturbEachOther) {
  const size_t count = (size_t{1} << 17) + 5;
  std::vector<int32_t> sums(count);
  for (size_t i = 0; i < count; ++i) sums[i] = static_cast<int32_t>(i % 4001) - 2000;
  std::vector<int16_t> weights(count, 127);
  const uint64_t cut = kernels::UpdateTowardZero(kernels::UpdateRule(10, 127),
                                                 std::span<const int32_t>(sums), weights);
  uint64_t expected_cut = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto expected = reference::UpdateTowardZero(127, sums[i], 10, 127);
    ASSERT_EQ(weights[i], expected.weight) << i;
    expected_cut += expected.cut ? 1 : 0;
  }
  EXPECT_EQ(cut, expected_cut);
}

}  // namespace
}  // namespace tally
