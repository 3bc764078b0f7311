// Goal: the arithmetic of the slow NITI is that of the published unit values.
// Method: every table of unit values, entry by entry; the rounding tables exhaustively.

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "tests/core/oracle/slow_niti_arithmetic.h"

namespace tally::oracle {
namespace {

TEST(NitiUnitsTest, SplitMixHasTheListedValues) {
  EXPECT_EQ(SlowSplitMix64(0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(SlowSplitMix64(uint64_t{1} << 32), 0xc42c5a1aa3820138u);
}

TEST(NitiUnitsTest, RangesAreThoseOfTheMagnitudes) {
  const std::array<std::array<int64_t, 2>, 7> ranges = {
      {{0, 0}, {1, 0}, {2, 1}, {3, 2}, {127, 7}, {128, 7}, {129, 8}}};
  for (const auto& [max, range] : ranges) EXPECT_EQ(ActivationRange(max), range) << max;
  EXPECT_EQ(GradientRange(0), 0);
  EXPECT_EQ(GradientRange(1), 1);
  EXPECT_EQ(GradientRange(2), 1);
  EXPECT_EQ(GradientRange(129), 8);
}

TEST(NitiUnitsTest, ShiftsGoUpForTheListedRestsOnly) {
  const std::array<std::set<int64_t>, 6> round = {
      {{},
       {1},
       {2, 3},
       {4, 5, 6, 7},
       {8, 9, 10, 11, 12, 13, 14, 15},
       {16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}}};
  const std::array<std::set<int64_t>, 6> psto = {
      {{},
       {1},
       {2},
       {2, 4, 6, 7},
       {4, 8, 9, 12, 13, 14},
       {4, 8, 12, 13, 16, 17, 20, 21, 22, 24, 25, 26, 28, 29, 30, 31}}};
  for (int64_t k = 1; k <= 5; ++k) {
    const auto index = static_cast<size_t>(k);
    for (int64_t f = 0; f < int64_t{1} << k; ++f) {
      for (const int64_t q : {0, 1, 90}) {
        const int64_t x = (q << k) + f;
        const int64_t up = round[index].contains(f) ? 1 : 0;
        const int64_t psto_up = psto[index].contains(f) ? 1 : 0;
        EXPECT_EQ(RoundShift(x, k), q + up) << x << " " << k;
        EXPECT_EQ(RoundShift(-x, k), -(q + up)) << x << " " << k;
        EXPECT_EQ(PstoShift(x, k), q + psto_up) << x << " " << k;
        EXPECT_EQ(PstoShift(-x, k), -(q + psto_up)) << x << " " << k;
      }
    }
  }
}

TEST(NitiUnitsTest, ShiftsHaveTheListedValues) {
  const std::array<std::array<int64_t, 4>, 9> values = {{{-7, 2, -2, -1},
                                                         {-6, 2, -2, -2},
                                                         {-1, 1, -1, -1},
                                                         {1, 2, 0, 0},
                                                         {2, 2, 1, 1},
                                                         {100, 8, 0, 1},
                                                         {255, 1, 127, 127},
                                                         {-2048, 4, -127, -127},
                                                         {-381181, 17, -3, -2}}};
  for (const auto& [x, k, round, psto] : values) {
    EXPECT_EQ(RoundShift(x, k), round) << x << " " << k;
    EXPECT_EQ(PstoShift(x, k), psto) << x << " " << k;
  }
}

TEST(NitiUnitsTest, RequantisingKeepsSevenBits) {
  struct Case {
    std::vector<int64_t> in, out;
    int64_t shift;
  };
  const std::array<Case, 4> cases = {{{{128, -128, 5}, {127, -127, 5}, 0},
                                      {{129, 64, -1}, {65, 32, -1}, 1},
                                      {{256, -255, 1}, {127, -127, 1}, 1},
                                      {{1, 0, -1}, {1, 0, -1}, 0}}};
  for (Case c : cases) {
    EXPECT_EQ(Requantise(c.in), c.shift);
    EXPECT_EQ(c.in, c.out);
  }
}

TEST(NitiUnitsTest, UpdatesHaveTheListedSteps) {
  struct Case {
    std::vector<int64_t> gradient;
    int64_t mu, range, k;
    std::vector<int64_t> steps;
  };
  const std::array<Case, 9> cases = {{{{1, -1, 0}, 2, 1, -1, {1, -1, 0}},
                                      {{1, -1, 0}, 0, 1, 1, {1, -1, 0}},
                                      {{1, -1, 0}, -1, 1, 2, {0, 0, 0}},
                                      {{2, -1, 0}, -1, 1, 2, {1, 0, 0}},
                                      {{128, -128, 3}, 7, 7, 0, {127, -127, 3}},
                                      {{4, -3, 1}, 2, 2, 0, {4, -3, 1}},
                                      {{5, -3, 1}, 2, 3, 1, {3, -2, 1}},
                                      {{1000, -700, 90}, 2, 10, 8, {4, -2, 0}},
                                      {{1000, -700, 90}, 0, 10, 10, {1, 0, 0}}}};
  for (const Case& c : cases) {
    const int64_t range = GradientRange(MaxMagnitude(c.gradient));
    EXPECT_EQ(range, c.range);
    EXPECT_EQ(range - c.mu, c.k);
    for (size_t i = 0; i < c.gradient.size(); ++i) {
      EXPECT_EQ(UpdateStep(c.gradient[i], range - c.mu), c.steps[i]) << c.gradient[i];
    }
  }
}

struct LossCase {
  std::vector<int64_t> logits;
  int64_t exponent;
  size_t label;
  std::vector<int64_t> gradient, errors;
};

const LossCase kLossCases[] = {
    {{80, -50, 4, 2, -45, 36, 10, 30, -41, -13},
     -3,
     0,
     {-6, 0, 0, 0, 0, 5, 0, 1, 0, 0},
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {{80, -50, 4, 2, -45, 36, 10, 30, -41, -13},
     -3,
     5,
     {2040, 0, 0, 0, 0, -2041, 0, 1, 0, 0},
     {127, 0, 0, 0, 0, -127, 0, 0, 0, 0}},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
     -3,
     7,
     {204, 204, 204, 204, 204, 204, 204, -1836, 204, 204},
     {13, 13, 13, 13, 13, 13, 13, -115, 13, 13}},
    {{127, -127, 0, 1, -1, 2, -2, 3, 64, -64},
     0,
     1,
     {2048, -2048, 0, 0, 0, 0, 0, 0, 0, 0},
     {127, -127, 0, 0, 0, 0, 0, 0, 0, 0}},
    {{1, 0, 0, 0, 0, 0, 0, 0, 0, -1},
     6,
     0,
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
     {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    {{127, -127, 5, -5, 60, -60, 30, -30, 90, -90},
     -6,
     2,
     {547, 33, -1908, 136, 273, 67, 136, 136, 547, 33},
     {34, 2, -120, 9, 17, 4, 9, 9, 34, 2}},
    {{127, -127, 5, -5, 60, -60, 30, -30, 90, -90},
     -7,
     2,
     {432, 87, -1862, 167, 275, 111, 219, 138, 339, 94},
     {27, 5, -116, 10, 17, 6, 13, 8, 21, 6}},
    {{127, -127, 5, -5, 60, -60, 30, -30, 90, -90},
     -9,
     2,
     {259, 158, -1840, 200, 227, 180, 214, 191, 241, 170},
     {16, 10, -115, 13, 14, 12, 13, 11, 15, 10}},
    {{127, -127, 5, -5, 60, -60, 30, -30, 90, -90},
     -40,
     2,
     {204, 204, -1836, 204, 204, 204, 204, 204, 204, 204},
     {13, 13, -115, 13, 13, 13, 13, 13, 13, 13}},
};

TEST(NitiUnitsTest, LossRowsHaveTheListedGradientsAndErrors) {
  for (const LossCase& c : kLossCases) {
    const std::vector<int64_t> g = LossGradient(c.logits, c.exponent, c.label);
    EXPECT_EQ(g, c.gradient) << "exponent " << c.exponent << ", class " << c.label;
    for (size_t i = 0; i < g.size(); ++i) EXPECT_EQ(PstoShift(g[i], 4), c.errors[i]);
  }
}

}  // namespace
}  // namespace tally::oracle
