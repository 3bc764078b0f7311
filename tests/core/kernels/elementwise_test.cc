// Goal: ranges, activations, slopes and standardisation agree with their definitions.
// Method: exhaustive or random values against formulas with the division operator.

#include "core/kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/reference.h"
#include "core/kernels/standardise.h"

namespace tally {
namespace {

namespace reference = kernels::reference;

// Each test at every level this machine can run.
class ElementwiseTest : public ::testing::TestWithParam<kernels::Level> {
 protected:
  ElementwiseTest() : before_(kernels::ActiveLevel()) { kernels::SetActiveLevel(GetParam()); }
  ~ElementwiseTest() override { kernels::SetActiveLevel(before_); }

 private:
  const kernels::Level before_;
};

TEST_P(ElementwiseTest, FindsTheLargestWhereverItIs) {
  EXPECT_EQ(kernels::MaxMagnitude(std::span<const int16_t>()), 0u);
  for (size_t size = 1; size < 40; ++size) {
    for (size_t place = 0; place < size; ++place) {
      std::vector<int16_t> narrow(size, 3);
      std::vector<int32_t> middle(size, -3);
      std::vector<int64_t> wide(size, -3);
      middle[place] = INT32_MIN;
      narrow[place] = -32768;
      wide[place] = INT64_MIN;
      ASSERT_EQ(kernels::MaxMagnitude(std::span<const int16_t>(narrow)), 32768u);
      ASSERT_EQ(kernels::MaxMagnitude(std::span<const int32_t>(middle)), uint32_t{1} << 31);
      ASSERT_EQ(kernels::MaxMagnitude(std::span<const int64_t>(wide)), uint64_t{1} << 63);
    }
  }
}

TEST_P(ElementwiseTest, LooksUpTheTruncatedQuotientAndSaturates) {
  kernels::ActivationTable table;
  for (size_t i = 0; i < table.kEntries; ++i) {
    table.points[i] = {static_cast<int16_t>(static_cast<int>(i) - 128), static_cast<uint8_t>(i % 6),
                       static_cast<uint8_t>(i == 0 || i == 256 ? 1 : 0)};
  }
  for (const int64_t divisor : {int64_t{1}, int64_t{256}, int64_t{200704}, int64_t{1} << 28}) {
    const TruncDivider64 divider(divisor);
    std::vector<int64_t> z = {INT64_MIN, INT64_MAX, 0};
    for (int64_t x = -130; x <= 130; ++x) {
      for (int64_t offset = -1; offset <= 1; ++offset) z.push_back(x * divisor + offset);
    }
    std::vector<int16_t> a(z.size());
    std::vector<uint8_t> slopes(z.size());
    const std::span<const int64_t> sums = z;
    const uint64_t saturated = kernels::ActivateByTable(sums, divider, table, a, slopes);
    uint64_t expected_saturated = 0;
    for (size_t i = 0; i < z.size(); ++i) {
      const int64_t x = reference::Cut(z[i] / divisor, -128, 128);
      ASSERT_EQ(a[i], x) << z[i] << " / " << divisor;
      ASSERT_EQ(slopes[i], (x + 128) % 6);
      expected_saturated += x == -128 || x == 128 ? 1 : 0;
    }
    EXPECT_EQ(saturated, expected_saturated);
    std::vector<int16_t> without_slopes(z.size());
    EXPECT_EQ(kernels::ActivateByTable(sums, divider, table, without_slopes, {}), saturated);
    EXPECT_EQ(without_slopes, a);
    // The 32-bit version where the sums fit, in one go and one by one.
    std::vector<int32_t> narrow_z;
    std::vector<int16_t> expected_a;
    for (size_t i = 0; i < z.size(); ++i) {
      if (z[i] <= -INT32_MAX || z[i] >= INT32_MAX) continue;
      narrow_z.push_back(static_cast<int32_t>(z[i]));
      expected_a.push_back(a[i]);
    }
    const TruncDivider32 narrow_divider(static_cast<int32_t>(divisor));
    std::vector<int16_t> narrow_a(narrow_z.size());
    std::vector<uint8_t> narrow_slopes(narrow_z.size());
    kernels::ActivateByTable(std::span<const int32_t>(narrow_z), narrow_divider, table, narrow_a,
                             narrow_slopes);
    EXPECT_EQ(narrow_a, expected_a);
    for (size_t i = 0; i < narrow_z.size(); ++i) {
      ASSERT_EQ(narrow_slopes[i], (narrow_a[i] + 128) % 6);
    }
  }
}

TEST_P(ElementwiseTest, DividesBySlopesAsTheOperatorDoes) {
  std::mt19937_64 random(6);
  std::vector<int64_t> deltas = {0,
                                 1,
                                 -1,
                                 INT32_MAX,
                                 -int64_t{INT32_MAX},
                                 int64_t{INT32_MIN},
                                 int64_t{INT32_MAX} + 1,
                                 INT64_MAX,
                                 -INT64_MAX};
  for (int i = 0; i < 2000; ++i) {
    deltas.push_back(static_cast<int64_t>(random()) >> (random() % 64));
  }
  for (size_t code = 0; code < kernels::kInverseSlopes.size(); ++code) {
    const int slope = kernels::kInverseSlopes[code];
    std::vector<int64_t> divided = deltas;
    const std::vector<uint8_t> slopes(deltas.size(), static_cast<uint8_t>(code));
    kernels::DivideBySlopes(slopes, std::span<int64_t>(divided));
    std::vector<int32_t> narrow;
    for (const int64_t delta : deltas) {
      narrow.push_back(std::max(-INT32_MAX, static_cast<int32_t>(delta)));
    }
    const std::vector<int32_t> before = narrow;
    kernels::DivideBySlopes(slopes, std::span<int32_t>(narrow));
    for (size_t i = 0; i < deltas.size(); ++i) {
      ASSERT_EQ(divided[i], reference::DivideBySlope(deltas[i], slope))
          << deltas[i] << "/" << slope;
      ASSERT_EQ(narrow[i], reference::DivideBySlope(before[i], slope));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, ElementwiseTest,
                         ::testing::ValuesIn(kernels::UsableLevels().begin(),
                                             kernels::UsableLevels().end()),
                         [](const auto& info) {
                           return std::string(kernels::LevelName(info.param));
                         });

TEST(StandardiseTest, EqualsTheFormulaIncludingAbsurdMeans) {
  std::vector<int16_t> elements;
  for (int x = -32768; x <= 32767; x += 13) elements.push_back(static_cast<int16_t>(x));
  for (const int32_t mean : {0, 33, -4000, 32767, 1 << 24, INT32_MAX, INT32_MIN}) {
    for (const int32_t deviation : {1, 2, 33, 1000, 65535}) {
      for (const int32_t unit : {1, 51, 127}) {
        std::vector<int16_t> x = elements;
        kernels::Standardise(mean, TruncDivider32(deviation), unit, x);
        std::vector<int16_t> each = elements;
        const std::vector<int32_t> means(each.size(), mean);
        const std::vector<TruncDivider32> dividers(each.size(), TruncDivider32(deviation));
        kernels::StandardiseEach(means, dividers, unit, each);
        for (size_t i = 0; i < x.size(); ++i) {
          ASSERT_EQ(x[i], reference::Standardise(elements[i], mean, deviation, unit))
              << elements[i] << " mean " << mean << " deviation " << deviation << " unit " << unit;
        }
        ASSERT_EQ(each, x);
      }
    }
  }
}

TEST(LoadTest, ReadsEveryElementType) {
  const std::vector<std::byte> bytes = {std::byte{0xff}, std::byte{0x7f}, std::byte{0x00},
                                        std::byte{0x80}};
  std::vector<int16_t> four(4);
  kernels::LoadUint8(bytes, four);
  EXPECT_EQ(four, (std::vector<int16_t>{255, 127, 0, 128}));
  kernels::LoadInt8(bytes, four);
  EXPECT_EQ(four, (std::vector<int16_t>{-1, 127, 0, -128}));
  std::vector<int16_t> two(2);
  kernels::LoadInt16(bytes, two);
  EXPECT_EQ(two, (std::vector<int16_t>{32767, -32768}));
}

}  // namespace
}  // namespace tally
