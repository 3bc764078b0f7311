// Goal: gradient sums are exact for every shape and at the largest values that int32 sums allow.
// Method: all inputs of ragged shapes against the transposed product of the slow reference.

#include "core/kernels/gradient.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/level.h"
#include "core/kernels/packed_gradient.h"
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

kernels::PackedMatrix<int16_t> Packed(const Tensor<int16_t>& plain) {
  kernels::PackedMatrix<int16_t> packed(plain.matrix().rows, plain.matrix().columns);
  packed.Pack(plain.matrix());
  return packed;
}

class LineGradientTest : public ::testing::TestWithParam<kernels::Level> {
 protected:
  LineGradientTest() : before_(kernels::ActiveLevel()) { kernels::SetActiveLevel(GetParam()); }
  ~LineGradientTest() override { kernels::SetActiveLevel(before_); }

 private:
  const kernels::Level before_;
};

TEST_P(LineGradientTest, EqualsTheDefinitionAtTheLargestValuesThatFit) {
  std::mt19937_64 random(1);
  for (const Dimensions& shape : kShapes) {
    // One object for all mini-batches, longer and shorter ones, as a learner has it.
    kernels::InputPairs pairs(shape.rows, shape.inputs);
    for (const Filling filling : test::kFillings) {
      for (const size_t rows : {shape.rows, (shape.rows + 1) / 2}) {
        const int64_t x_limit = 255;
        const int64_t d_limit =
            std::min<int64_t>(32767, INT32_MAX / (x_limit * static_cast<int64_t>(rows)));
        const auto x = MakeMatrix<int16_t>(random, rows, shape.inputs, -x_limit, x_limit, filling);
        const auto d =
            MakeMatrix<int16_t>(random, shape.rows, shape.units, -d_limit, d_limit,
                                filling == Filling::kMostlyZero ? Filling::kEnds : filling);
        const Matrix expected =
            Multiply(Transpose(Widen(x.matrix())), Widen(d.matrix().FirstRows(rows)));
        // Line by line from some mini-batches, all at once from others.
        const kernels::InputPairs::Lines all = pairs.all();
        const size_t step = rows == shape.rows ? all.last : 1;
        for (size_t line = 0; line < all.last; line += step) {
          pairs.Set(x.matrix(), {line, line + step}, false);
        }
        const size_t width = Packed(d).panels() * 16;
        Tensor<int32_t> sums(Shape({2 * width}));
        for (size_t line = 0; line < (shape.inputs + 1) / 2; ++line) {
          for (int32_t& sum : sums.elements()) sum = 77;
          pairs.SumLine(line, rows, Packed(d), sums.elements());
          for (size_t i = 0; i < 2 * width; ++i) {
            const size_t input = 2 * line + i / width;
            const bool real = input < shape.inputs && i % width < shape.units;
            ASSERT_EQ(sums[i], real ? expected.at(input, i % width) : 0) << "input " << input;
          }
        }
      }
    }
  }
}

TEST_P(LineGradientTest, ListsTheLinesInWhichAnyRowIsNotZero) {
  Tensor<int16_t> x(Shape({300, 7}));
  x.matrix().Row(299)[1] = 5;
  x.matrix().Row(0)[6] = -1;
  kernels::InputPairs pairs(300, 7);
  auto active = pairs.Set(x.matrix(), pairs.all(), false);
  ASSERT_EQ(active.size(), 2u);
  EXPECT_EQ(active[0].line, 0u);
  EXPECT_EQ(active[1].line, 3u);
  active = pairs.Set(x.matrix(), {1, 4}, false);
  ASSERT_EQ(active.size(), 1u);
  EXPECT_EQ(active[0].line, 3u);
  active = pairs.Set(x.matrix().FirstRows(1), pairs.all(), false);
  ASSERT_EQ(active.size(), 1u);
  EXPECT_EQ(active[0].line, 3u);
  active = pairs.Set(x.matrix(), {2, 4}, true);
  ASSERT_EQ(active.size(), 2u);
  EXPECT_EQ(active[0].line, 2u);
  EXPECT_EQ(active[1].line, 3u);
}

TEST(PackDeltasTest, PacksAnyRangeOfRowsAndLeavesTheOthersAlone) {
  std::mt19937_64 random(3);
  for (const size_t columns : {1u, 15u, 16u, 37u}) {
    for (const size_t rows : {1u, 2u, 5u, 8u}) {
      // Rows of the source may be longer.
      Tensor<int32_t> narrow(Shape({rows, columns + 3}));
      Tensor<int64_t> wide(Shape({rows, columns + 3}));
      for (size_t i = 0; i < narrow.size(); ++i) {
        narrow[i] = static_cast<int32_t>(random() % 65536) - 32768;
        wide[i] = narrow[i];
      }
      Tensor<int16_t> plain(Shape({rows, columns}));
      for (const size_t first : {size_t{0}, size_t{4}}) {
        kernels::PackedMatrix<int16_t> one(first + rows + 1, columns);
        kernels::PackedMatrix<int16_t> two(first + rows + 1, columns);
        kernels::PackDeltas(narrow.matrix(), first, plain.matrix(), one);
        kernels::PackDeltas(wide.matrix(), first, plain.matrix(), two);
        for (size_t k = 0; k < first + rows + 1; ++k) {
          for (size_t j = 0; j < columns; ++j) {
            const bool packed = k >= first && k < first + rows;
            const int32_t expected = packed ? narrow.matrix().Row(k - first)[j] : 0;
            ASSERT_EQ(one.At(k, j), expected) << columns << " columns, row " << k;
            ASSERT_EQ(two.At(k, j), expected) << columns << " columns, row " << k;
            if (packed) {
              ASSERT_EQ(plain.matrix().Row(k - first)[j], expected);
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, LineGradientTest,
                         ::testing::ValuesIn(kernels::UsableLevels().begin(),
                                             kernels::UsableLevels().end()),
                         [](const auto& info) {
                           return std::string(kernels::LevelName(info.param));
                         });

TEST(GradientTest, WideKernelsEqualTheDefinitionWhereInt32WouldWrap) {
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
        std::vector<int64_t> wide(shape.units, 77);
        std::vector<int64_t> wider(shape.units, 77);
        kernels::WideGradientRow(x.matrix(), input, wide_d.matrix(), wide);
        kernels::WideGradientRow(wide_x.matrix(), input, wide_d.matrix(), wider);
        for (size_t j = 0; j < shape.units; ++j) {
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
