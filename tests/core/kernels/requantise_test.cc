// Goal: requantisation and the update of int8 weights are the named roundings and a clamp, at every
// level this machine can run.
// Method: every shift and rounding, on values around each power of two and random ones, against the
// primitives of core/arithmetic; edges by hand.

#include "core/kernels/requantise.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "core/arithmetic/rounding.h"
#include "core/kernels/level.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::kernels {
namespace {

constexpr Rounding kRoundings[] = {Rounding::kTowardZero, Rounding::kHalfAwayFromZero,
                                   Rounding::kPseudoStochastic};

int32_t Expected(int32_t sum, const Requantisation& how) {
  int32_t rounded = sum;
  if (how.shift > 0) {
    switch (how.rounding) {
      case Rounding::kTowardZero:
        rounded = ShiftTrunc(sum, how.shift);
        break;
      case Rounding::kHalfAwayFromZero:
        rounded = ShiftHalfAwayFromZero(sum, how.shift);
        break;
      case Rounding::kPseudoStochastic:
        rounded = ShiftPseudoStochastic(sum, how.shift);
        break;
    }
  }
  return Clamp(rounded, how.relu ? 0 : -127, 127);
}

// What lies around the powers of two, and random numbers of every length.
std::vector<int32_t> Sums(std::mt19937_64& random) {
  std::vector<int32_t> sums = {0};
  for (int32_t bit = 0; bit < 31; ++bit) {
    const auto power = static_cast<int32_t>(1u << bit);
    for (const int32_t near : {power - 1, power, power == 1 << 30 ? power : power + 1}) {
      sums.insert(sums.end(), {near, -near});
    }
    for (int i = 0; i < 40; ++i) {
      const auto any = static_cast<int32_t>(random() % (uint64_t{2} << bit));
      sums.insert(sums.end(), {any, -any});
    }
  }
  sums.insert(sums.end(), {INT32_MAX, -INT32_MAX});
  return sums;
}

class RequantiseTest : public testing::TestWithParam<Level> {
 protected:
  RequantiseTest() { SetActiveLevel(GetParam()); }
  ~RequantiseTest() override { SetActiveLevel(level_before_); }

  std::mt19937_64 random_{5};

 private:
  const Level level_before_ = ActiveLevel();
};

TEST_P(RequantiseTest, RoundsAndClampsForEveryShift) {
  const std::vector<int32_t> sums = Sums(random_);
  std::vector<int8_t> out(sums.size());
  for (const Rounding rounding : kRoundings) {
    for (int32_t shift = 0; shift <= 31; ++shift) {
      for (const bool relu : {false, true}) {
        const Requantisation how = {shift, rounding, relu};
        Requantise(sums, how, out);
        for (size_t i = 0; i < sums.size(); ++i) {
          ASSERT_EQ(out[i], Expected(sums[i], how))
              << sums[i] << " >> " << shift << " rounding " << static_cast<int>(rounding);
        }
      }
    }
  }
}

TEST_P(RequantiseTest, LetsThroughWhereTheGateIsAboveZero) {
  const std::vector<int32_t> sums = Sums(random_);
  std::vector<int8_t> gates(sums.size());
  for (size_t i = 0; i < gates.size(); ++i) gates[i] = static_cast<int8_t>(random_());
  std::vector<int8_t> out(sums.size());
  for (const Rounding rounding : kRoundings) {
    const Requantisation how = {9, rounding, false};
    RequantiseGated(sums, how, gates, out);
    for (size_t i = 0; i < sums.size(); ++i) {
      ASSERT_EQ(out[i], gates[i] > 0 ? Expected(sums[i], how) : 0);
    }
  }
}

TEST_P(RequantiseTest, TouchesNoMoreElementsThanThereAre) {
  for (size_t count = 0; count < 70; ++count) {
    const std::vector<int32_t> sums(count, 1000);
    std::vector<int8_t> out(count + 1, 55);
    Requantise(sums, {4, Rounding::kTowardZero, false}, {out.data(), count});
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(out[i], 62);
    ASSERT_EQ(out[count], 55);
  }
}

template <class Sum>
void ExpectUpdate(std::mt19937_64& random, size_t rows, size_t columns, Requantisation how) {
  const auto plain =
      test::MakeMatrix<int8_t>(random, rows, columns, -127, 127, test::kFillings[random() % 5]);
  PackedMatrix<int8_t> weights(rows, columns);
  weights.Pack(plain.matrix());
  PanelSums<Sum> sums(rows, columns);
  for (size_t k = 0; k < rows; ++k) {
    for (size_t j = 0; j < columns; ++j) {
      sums.Row(j / 16, k)[j % 16] = static_cast<int32_t>(random() % 400001) - 200000;
    }
  }
  UpdateWeights(sums, how, weights);
  for (size_t k = 0; k < rows; ++k) {
    for (size_t j = 0; j < columns; ++j) {
      const int32_t step = Expected(static_cast<int32_t>(sums.At(k, j)), {how.shift, how.rounding});
      ASSERT_EQ(weights.At(k, j), Clamp(plain.matrix().Row(k)[j] - step, -127, 127))
          << rows << "x" << columns << " weight " << k << ", " << j;
    }
  }
  // What the matrix does not have stays zero.
  for (size_t k = rows; k < weights.lines() * 4; ++k) {
    for (size_t j = 0; j < weights.panels() * 16; ++j) ASSERT_EQ(weights.At(k, j), 0);
  }
}

TEST_P(RequantiseTest, MovesPackedWeightsByTheirSums) {
  for (const size_t rows : {1u, 3u, 4u, 27u, 255u, 256u, 257u, 600u}) {
    for (const size_t columns : {1u, 15u, 16u, 17u, 50u}) {
      for (const Rounding rounding : kRoundings) {
        const auto shift = static_cast<int32_t>(random_() % 14);
        ExpectUpdate<int32_t>(random_, rows, columns, {shift, rounding, true});
        ExpectUpdate<int64_t>(random_, rows, columns, {shift, rounding, true});
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(RequantiseTest, MovesWeightsBySumsBeyondInt32) {
  PackedMatrix<int8_t> weights(1, 3);
  PanelSums<int64_t> sums(1, 3);
  const int64_t most = int64_t{1} << 33;
  sums.Row(0, 0)[0] = most;
  sums.Row(0, 0)[1] = -most - (int64_t{1} << 29);
  sums.Row(0, 0)[2] = (int64_t{1} << 62) + 1;
  UpdateWeights(sums, {30, Rounding::kHalfAwayFromZero, false}, weights);
  EXPECT_EQ(weights.At(0, 0), -8);
  EXPECT_EQ(weights.At(0, 1), 9);
  EXPECT_EQ(weights.At(0, 2), -127);
}

INSTANTIATE_TEST_SUITE_P(Levels, RequantiseTest,
                         testing::ValuesIn(UsableLevels().begin(), UsableLevels().end()),
                         [](const auto& tested) { return std::string(LevelName(tested.param)); });

TEST(RequantiseRoundingTest, IsNitisByHand) {
  // 2^3 units: 11 = 1 * 8 + 0b011, 12 = 1 * 8 + 0b100.
  const std::vector<int32_t> sums = {11, 12, -12, -11, 4, -4};
  std::vector<int8_t> out(6);
  Requantise(sums, {3, Rounding::kTowardZero, false}, out);
  EXPECT_EQ(out, (std::vector<int8_t>{1, 1, -1, -1, 0, 0}));
  Requantise(sums, {3, Rounding::kHalfAwayFromZero, false}, out);
  EXPECT_EQ(out, (std::vector<int8_t>{1, 2, -2, -1, 1, -1}));
  // The dropped bits of 11 are 01 over a dice of 1, doubled: not more. Those of 12 are 10 over 0.
  Requantise(sums, {3, Rounding::kPseudoStochastic, false}, out);
  EXPECT_EQ(out, (std::vector<int8_t>{1, 2, -2, -1, 1, -1}));
}

}  // namespace
}  // namespace tally::kernels
