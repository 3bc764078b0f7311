// Goal: the random integers are the published generators, uniform, and addressable in any order.
// Method: published check values, the C library itself as oracle, exact counts of the rejection
// rule.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "core/arithmetic/glibc_random.h"
#include "core/arithmetic/philox.h"
#include "core/arithmetic/shuffle.h"

namespace tally {
namespace {

using Words = std::array<uint32_t, 4>;

TEST(PhiloxTest, GivesThePublishedCheckValues) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The rule of philox.h, word by word, without shortcuts.
uint32_t SlowDraw(uint64_t seed, uint64_t step, uint32_t tensor, uint64_t index, uint32_t bound) {
  const std::array<uint32_t, 2> key = {static_cast<uint32_t>(seed),
                                       static_cast<uint32_t>(seed >> 32)};
  const uint64_t remainder = (uint64_t{1} << 32) % bound;
  for (uint32_t sub = 0;; ++sub) {
    const uint64_t last = sub == 0 ? index / 4 : index;
    const Words block = Philox4x32({static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32),
                                    tensor + (sub << 24), static_cast<uint32_t>(last)},
                                   key);
    for (size_t word = sub == 0 ? index % 4 : 0; word < 4; ++word) {
      const uint64_t product = uint64_t{block[word]} * bound;
      if (product % (uint64_t{1} << 32) >= remainder) {
        return static_cast<uint32_t>(product >> 32);
      }
    }
  }
}

TEST(UniformDrawsTest, FollowsTheWrittenRuleIncludingRejections) {
  const uint64_t seed = 0x0123456789abcdefu;
  const uint64_t step = 0xfedcba9876543210u;
  // With a bound just above 2^31 nearly every second word is rejected: sub-counters are exercised.
  for (const uint32_t bound : {1u, 2u, 10u, 1000u, 0x80000001u, 0xC0000001u, 0xffffffffu}) {
    UniformDraws draws(seed, step, 77);
    for (uint64_t index = 0; index < 4000; ++index) {
      ASSERT_EQ(draws.At(index, bound), SlowDraw(seed, step, 77, index, bound))
          << "index " << index << " bound " << bound;
    }
  }
}

TEST(UniformDrawsTest, DoesNotDependOnTheOrderOfTheQuestions) {
  UniformDraws forward(5, 6, 7);
  UniformDraws backward(5, 6, 7);
  std::vector<uint32_t> first(1000);
  for (uint64_t i = 0; i < 1000; ++i) first[i] = forward.At(i, 12345);
  for (uint64_t i = 1000; i-- > 0;) ASSERT_EQ(backward.At(i, 12345), first[i]);
}

TEST(UniformDrawsTest, IsUniformWithinStatisticalLimits) {
  UniformDraws draws(1, 0, 1);
  std::array<int, 10> counts = {};
  for (uint64_t i = 0; i < 100000; ++i) ++counts[draws.At(i, 10)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);
}

TEST(GlibcRandomTest, EqualsTheCLibraryForSeveralSeeds) {
#ifndef __GLIBC__
  GTEST_SKIP() << "the C library here is not glibc";
#endif
  for (const uint32_t seed : {1u, 0u, 2u, 42u, 2147483647u, 2147483648u, 4294967295u}) {
    std::srand(seed);
    GlibcRandom random(seed);
    for (int i = 0; i < 5000; ++i) {
      ASSERT_EQ(random.Next(), static_cast<uint32_t>(std::rand()))
          << "seed " << seed << " draw " << i;
    }
  }
}

TEST(GlibcRandomTest, StartsWithTheKnownValuesOfSeedOne) {
  GlibcRandom random;
  EXPECT_EQ(random.Next(), 1804289383u);
  EXPECT_EQ(random.Next(), 846930886u);
  EXPECT_EQ(random.Next(), 1681692777u);
}

TEST(EpochOrderTest, IsAPermutationThatDependsOnSeedAndEpoch) {
  std::vector<uint32_t> order = EpochOrder(1, 0, 1000);
  EXPECT_EQ(order, EpochOrder(1, 0, 1000));
  EXPECT_NE(order, EpochOrder(1, 1, 1000));
  EXPECT_NE(order, EpochOrder(2, 0, 1000));
  std::sort(order.begin(), order.end());
  std::vector<uint32_t> identity(1000);
  std::iota(identity.begin(), identity.end(), 0u);
  EXPECT_EQ(order, identity);
}

TEST(EpochOrderTest, FollowsTheWrittenRule) {
  std::vector<uint32_t> expected(257);
  std::iota(expected.begin(), expected.end(), 0u);
  for (uint32_t i = 256; i >= 1; --i) {
    std::swap(expected[i], expected[SlowDraw(99, 3, 0, i, i + 1)]);
  }
  EXPECT_EQ(EpochOrder(99, 3, 257), expected);
}

TEST(EpochOrderTest, HandlesTheSmallestCounts) {
  EXPECT_TRUE(EpochOrder(1, 0, 0).empty());
  EXPECT_EQ(EpochOrder(1, 0, 1), std::vector<uint32_t>{0});
}

}  // namespace
}  // namespace tally
