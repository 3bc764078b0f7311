// Goal: the drawn digits are the same for ever and everywhere, and look like a data set.
// Method: a golden checksum, prefixes, and simple statistics. How hard they are to learn is
// measured in tests/accuracy.

#include "client/datasets/synthetic_digits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace tally {
namespace {

// FNV-1a, 64 bits: enough to notice any change.
uint64_t Checksum(const Dataset& dataset) {
  uint64_t hash = 14695981039346656037u;
  const auto mix = [&](uint64_t byte) { hash = (hash ^ byte) * 1099511628211u; };
  for (const std::byte b : dataset.rows) mix(std::to_integer<uint64_t>(b));
  for (const uint32_t label : dataset.labels) mix(label);
  return hash;
}

TEST(SyntheticDigitsTest, AreTheSameForEver) {
  EXPECT_EQ(Checksum(DrawDigits(1, 0, 200)), 7495548502064363398u);
  EXPECT_EQ(Checksum(DrawDigits(1, 1, 200)), 1155913352593369781u);
  EXPECT_EQ(Checksum(DrawDigits(0xfedcba9876543210u, 0, 200)), 4246482108347961209u);
}

TEST(SyntheticDigitsTest, AnImageDoesNotDependOnHowManyAreDrawn) {
  const Dataset few = DrawDigits(3, 0, 5);
  const Dataset many = DrawDigits(3, 0, 50);
  EXPECT_TRUE(std::equal(few.rows.begin(), few.rows.end(), many.rows.begin()));
  EXPECT_TRUE(std::equal(few.labels.begin(), few.labels.end(), many.labels.begin()));
}

TEST(SyntheticDigitsTest, TrainingAndTestShareNoImage) {
  const Dataset train = DrawDigits(1, 0, 300);
  const Dataset test = DrawDigits(1, 1, 300);
  for (uint32_t i = 0; i < 300; ++i) {
    for (uint32_t j = 0; j < 300; ++j) {
      const auto a = train.row(i);
      const auto b = test.row(j);
      ASSERT_FALSE(std::equal(a.begin(), a.end(), b.begin()));
    }
  }
}

TEST(SyntheticDigitsTest, EveryDigitIsDrawnAboutEquallyOften) {
  const Dataset dataset = DrawDigits(1, 0, 5000);
  EXPECT_EQ(dataset.shape, (std::vector<uint32_t>{28, 28}));
  std::array<int, 10> counts = {};
  for (const uint32_t label : dataset.labels) ++counts.at(label);
  for (const int count : counts) {
    EXPECT_GT(count, 400);
    EXPECT_LT(count, 600);
  }
}

TEST(SyntheticDigitsTest, EveryImageHasInkOnADarkGround) {
  const Dataset dataset = DrawDigits(1, 0, 1000);
  for (uint32_t i = 0; i < dataset.count(); ++i) {
    const auto row = dataset.row(i);
    const auto bright =
        std::count_if(row.begin(), row.end(), [](std::byte b) { return b > std::byte{100}; });
    const auto dark =
        std::count_if(row.begin(), row.end(), [](std::byte b) { return b < std::byte{50}; });
    EXPECT_GT(bright, 10) << "image " << i;
    EXPECT_GT(dark, 300) << "image " << i;
  }
}

}  // namespace
}  // namespace tally
