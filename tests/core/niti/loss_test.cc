// Goal: pin the integer cross-entropy in both regimes and the three roundings of its errors.
// Method: rows worked out by hand or by two unrelated implementations; then sums and ranges over
// random rows; the stochastic rounding against its definition.

#include "core/algorithms/niti/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace tally::niti {
namespace {

using ::testing::ElementsAreArray;

UniformDraws Draws() { return UniformDraws(7, 3, 3); }

TEST(LossTest, KnownRowsComeOut) {
  const std::vector<int8_t> sure = {80, -50, 4, 2, -45, 36, 10, 30, -41, -13};
  const std::vector<int8_t> wide = {127, -127, 5, -5, 60, -60, 30, -30, 90, -90};
  const struct {
    std::vector<int8_t> o;
    int32_t exponent;
    uint32_t label;
    std::vector<int32_t> g;
    std::vector<int8_t> e;
  } rows[] = {
      {sure, -3, 0, {-6, 0, 0, 0, 0, 5, 0, 1, 0, 0}, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {sure, -3, 5, {2040, 0, 0, 0, 0, -2041, 0, 1, 0, 0}, {127, 0, 0, 0, 0, -127, 0, 0, 0, 0}},
      {wide,
       -6,
       2,
       {547, 33, -1908, 136, 273, 67, 136, 136, 547, 33},
       {34, 2, -120, 9, 17, 4, 9, 9, 34, 2}},
      {wide,
       -7,
       2,
       {432, 87, -1862, 167, 275, 111, 219, 138, 339, 94},
       {27, 5, -116, 10, 17, 6, 13, 8, 21, 6}},
      {wide,
       -40,
       2,
       {204, 204, -1836, 204, 204, 204, 204, 204, 204, 204},
       {13, 13, -115, 13, 13, 13, 13, 13, 13, 13}},
      {{1, 0, 0, 0, -1}, 6, 0, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}},
  };
  for (const auto& row : rows) {
    std::vector<int32_t> g(row.o.size());
    std::vector<int8_t> e(row.o.size());
    const int64_t loss =
        CrossEntropyGradient(NitiSoftmax::kOctaves, row.o, row.exponent, row.label, g);
    EXPECT_THAT(g, ElementsAreArray(row.g));
    EXPECT_EQ(loss, -row.g[row.label]);
    UniformDraws draws = Draws();
    RoundErrors(g, LossRounding::kPseudoStochastic, draws, 0, e);
    EXPECT_THAT(e, ElementsAreArray(row.e));
  }
}

TEST(LossTest, RowsSumToZeroAndStayInRangeAtEveryExponent) {
  std::mt19937 random(5);
  for (const size_t classes : {2u, 10u, 2047u, 2048u, 65536u}) {
    std::vector<int8_t> o(classes);
    std::vector<int32_t> g(classes);
    for (int32_t exponent = -80; exponent <= 40; exponent += classes > 10 ? 7 : 1) {
      for (int8_t& each : o) each = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
      const uint32_t label = static_cast<uint32_t>(random() % classes);
      for (const NitiSoftmax softmax : {NitiSoftmax::kOctaves, NitiSoftmax::kFine}) {
        const int64_t loss = CrossEntropyGradient(softmax, o, exponent, label, g);
        EXPECT_EQ(std::accumulate(g.begin(), g.end(), 0), 0);
        EXPECT_GE(loss, 0);
        EXPECT_LE(loss, kProbabilityOne);
        g[label] = 0;
        EXPECT_GE(*std::min_element(g.begin(), g.end()), 0);
      }
    }
  }
}

// Exponents are off by up to 1/512 of an octave, and quotients by up to 1/2048.
TEST(LossTest, TheFineSoftmaxIsThatOfRealNumbers) {
  std::mt19937 random(6);
  std::vector<int8_t> o(10);
  std::vector<int32_t> g(10);
  for (int32_t exponent = -14; exponent <= 0; ++exponent) {
    for (int round = 0; round < 200; ++round) {
      for (int8_t& each : o) each = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
      CrossEntropyGradient(NitiSoftmax::kFine, o, exponent, 0, g);
      double sum = 0;
      for (const int8_t each : o) sum += std::exp(std::ldexp(each, exponent));
      for (size_t i = 1; i < o.size(); ++i) {
        const double wanted = 2048 * std::exp(std::ldexp(o[i], exponent)) / sum;
        EXPECT_LE(g[i], wanted * 1.003 + 0.01) << exponent;
        EXPECT_GE(g[i], wanted * 0.997 - 1.01) << exponent;
      }
    }
  }
}

TEST(LossTest, ErrorsAreRoundedAsAsked) {
  std::vector<int32_t> g = {0, 7, 8, 9, -8, -2048, 2048, 24, -23};
  std::vector<int8_t> e(g.size());
  UniformDraws draws = Draws();
  RoundErrors(g, LossRounding::kHalfAwayFromZero, draws, 0, e);
  EXPECT_THAT(e, ElementsAreArray({0, 0, 1, 1, -1, -127, 127, 2, -1}));
  RoundErrors(g, LossRounding::kStochastic, draws, 100, e);
  UniformDraws again = Draws();
  for (size_t i = 0; i < g.size(); ++i) {
    const int32_t magnitude = std::abs(g[i]);
    const bool up = static_cast<uint32_t>(magnitude % 16) > again.At(100 + i, 16);
    const int32_t wanted = std::min(magnitude / 16 + (up ? 1 : 0), 127);
    EXPECT_EQ(e[i], g[i] < 0 ? -wanted : wanted) << i;
  }
}

}  // namespace
}  // namespace tally::niti
