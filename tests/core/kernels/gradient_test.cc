// Goal: gradient sums are exact for every shape and at the largest values that int32 sums allow.
// Method: all inputs of ragged shapes against the transposed product of the slow reference.

#include "core/kernels/gradient.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/reference.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally {
namespace {

using kernels::reference::Matrix;
using kernels::reference::Multiply;
using kernels::reference::Transpose;
using kernels::reference::Widen;
using test::Filling;
using test::MakeMatrix;

struct Dimensions {
  size_t rows, inputs, units;
};
constexpr Dimensions kShapes[] = {{1, 1, 1}, {3, 5, 7},   {20, 9, 100}, {21, 2, 10},
                                  {4, 3, 1}, {255, 2, 9}, {257, 2, 8},  {600, 2, 3}};

TEST(GradientTest, Int32RowsEqualTheDefinitionAtTheLargestValuesThatFit) {
  std::mt19937_64 random(1);
  for (const Dimensions& shape : kShapes) {
    for (const Filling filling : test::kFillings) {
      const int64_t x_limit = 255;
      const int64_t d_limit =
          std::min<int64_t>(32767, INT32_MAX / (x_limit * static_cast<int64_t>(shape.rows)));
      const auto x =
          MakeMatrix<int16_t>(random, shape.rows, shape.inputs, -x_limit, x_limit, filling);
      const auto d =
          MakeMatrix<int16_t>(random, shape.rows, shape.units, -d_limit, d_limit,
                              filling == Filling::kMostlyZero ? Filling::kEnds : filling);
      const Matrix expected = Multiply(Transpose(Widen(x.matrix())), Widen(d.matrix()));
      for (size_t input = 0; input < shape.inputs; ++input) {
        std::vector<int32_t> sums(shape.units, 77);
        const bool any = kernels::GradientRow(x.matrix(), input, d.matrix(), sums);
        for (size_t j = 0; j < shape.units; ++j) {
          ASSERT_EQ(any ? sums[j] : 0, expected.at(input, j)) << "input " << input;
        }
      }
    }
  }
}

TEST(GradientTest, AnInputThatIsZeroEverywhereIsReportedAndLeavesTheSumsAlone) {
  Tensor<int16_t> x(Shape({300, 2}));
  x.matrix().Row(299)[1] = 5;
  Tensor<int16_t> d(Shape({300, 3}));
  d.matrix().Row(299)[2] = -7;
  std::vector<int32_t> sums(3, 77);
  EXPECT_FALSE(kernels::GradientRow(x.matrix(), 0, d.matrix(), sums));
  EXPECT_EQ(sums, std::vector<int32_t>(3, 77));
  EXPECT_TRUE(kernels::GradientRow(x.matrix(), 1, d.matrix(), sums));
  EXPECT_EQ(sums, (std::vector<int32_t>{0, 0, -35}));
}

TEST(GradientTest, RunsAndWideKernelsEqualTheDefinitionWhereInt32WouldWrap) {
  std::mt19937_64 random(2);
  for (const Dimensions& shape : kShapes) {
    for (const Filling filling : test::kFillings) {
      const auto x = MakeMatrix<int16_t>(random, shape.rows, shape.inputs, -32768, 32767, filling);
      const auto d = MakeMatrix<int16_t>(random, shape.rows, shape.units, -32767, 32767, filling);
      Tensor<int64_t> wide_x(x.shape());
      Tensor<int64_t> wide_d(d.shape());
      for (size_t i = 0; i < x.size(); ++i) wide_x[i] = x[i];
      for (size_t i = 0; i < d.size(); ++i) wide_d[i] = d[i];
      const Matrix expected = Multiply(Transpose(Widen(x.matrix())), Widen(d.matrix()));
      for (size_t input = 0; input < shape.inputs; ++input) {
        std::vector<int64_t> in_runs(shape.units, 77);
        std::vector<int64_t> wide(shape.units, 77);
        std::vector<int64_t> wider(shape.units, 77);
        std::vector<int32_t> scratch(shape.units);
        kernels::GradientRowInRuns(x.matrix(), input, d.matrix(), 2, scratch, in_runs);
        kernels::WideGradientRow(x.matrix(), input, wide_d.matrix(), wide);
        kernels::WideGradientRow(wide_x.matrix(), input, wide_d.matrix(), wider);
        for (size_t j = 0; j < shape.units; ++j) {
          ASSERT_EQ(in_runs[j], expected.at(input, j));
          ASSERT_EQ(wide[j], expected.at(input, j));
          ASSERT_EQ(wider[j], expected.at(input, j));
        }
      }
    }
  }
}

TEST(GradientTest, ColumnSumsAddUpEveryRow) {
  std::mt19937_64 random(4);
  for (const Dimensions& shape : kShapes) {
    const int64_t limit = INT64_MAX / static_cast<int64_t>(shape.rows);
    const auto d =
        MakeMatrix<int64_t>(random, shape.rows, shape.units, -limit, limit, Filling::kEnds);
    std::vector<int64_t> sums(shape.units, 77);
    kernels::ColumnSums(d.matrix(), sums);
    for (size_t j = 0; j < shape.units; ++j) {
      int64_t expected = 0;
      for (size_t r = 0; r < shape.rows; ++r) expected += d.matrix().Row(r)[j];
      ASSERT_EQ(sums[j], expected);
    }
  }
}

}  // namespace
}  // namespace tally
