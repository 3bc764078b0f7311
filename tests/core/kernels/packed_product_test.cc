// Goal: products with packed weights are exact for every shape and every value, at the ends of the
// ranges too, at every level.
// Method: ragged shapes and worst-case fillings against the slow reference.

#include "core/kernels/packed_product.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>

#include "core/kernels/level.h"
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
  size_t rows, depth, columns;
};

// Around the unrolling by four, the blocks of 512 and a pixel layer.
constexpr Dimensions kShapes[] = {{1, 1, 1},    {2, 3, 5},     {3, 4, 7},    {1, 511, 9},
                                  {2, 512, 33}, {2, 513, 8},   {1, 1030, 3}, {1, 5, 513},
                                  {2, 7, 1025}, {3, 784, 100}, {20, 50, 10}, {5, 2, 2}};

struct Range {
  int64_t x_low, x_high, w_limit;
};
constexpr Range kRanges[] = {{0, 255, 32767},         {-127, 127, 32767}, {-32768, 32767, 32767},
                             {-32768, -32768, 32767}, {-142, 127, 51},    {-3, 3, 1}};

kernels::PackedMatrix<int16_t> Packed(const Tensor<int16_t>& plain) {
  kernels::PackedMatrix<int16_t> packed(plain.matrix().rows, plain.matrix().columns);
  packed.Pack(plain.matrix());
  return packed;
}

// The same range with weights so small that no sum leaves int32.
Range Narrowed(const Range& range, size_t depth) {
  const int64_t x_limit = std::max(std::abs(range.x_low), std::abs(range.x_high));
  const int64_t w_limit = (INT32_MAX - 1) / (x_limit * static_cast<int64_t>(depth));
  return {range.x_low, range.x_high, std::min(range.w_limit, w_limit)};
}

template <class Visit>
void ForEachCase(const Visit& visit) {
  std::mt19937_64 random(3);
  for (const Dimensions& shape : kShapes) {
    for (const Range& range : kRanges) {
      for (const Filling x_filling : test::kFillings) {
        const Filling w_filling = test::kFillings[random() % std::size(test::kFillings)];
        SCOPED_TRACE(testing::Message()
                     << shape.rows << "x" << shape.depth << "x" << shape.columns << " x in ["
                     << range.x_low << ", " << range.x_high << "] |w| <= " << range.w_limit);
        visit(random, shape, range, x_filling, w_filling);
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

// Rows of `actual` may be longer; the surplus must be zero.
template <class T>
void ExpectEqual(MatrixView<const T> actual, const Matrix& expected) {
  for (size_t r = 0; r < actual.rows; ++r) {
    for (size_t j = 0; j < actual.columns; ++j) {
      ASSERT_EQ(actual.Row(r)[j], j < expected.columns ? expected.at(r, j) : 0)
          << "row " << r << " column " << j;
    }
  }
}

class PackedProductTest : public ::testing::TestWithParam<kernels::Level> {
 protected:
  PackedProductTest() : before_(kernels::ActiveLevel()) { kernels::SetActiveLevel(GetParam()); }
  ~PackedProductTest() override { kernels::SetActiveLevel(before_); }

 private:
  const kernels::Level before_;
};

TEST_P(PackedProductTest, EqualsTheDefinitionForRaggedShapesAndExtremeValues) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& wide,
                 Filling x_filling, Filling w_filling) {
    const Range range = Narrowed(wide, shape.depth);
    const auto x =
        MakeMatrix<int16_t>(random, shape.rows, shape.depth, range.x_low, range.x_high, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.depth, shape.columns, -range.w_limit,
                                       range.w_limit, w_filling);
    ASSERT_LT(kernels::RowSumMax(x.matrix()) * static_cast<uint64_t>(range.w_limit),
              uint64_t{INT32_MAX});
    // Old contents must not shine through.
    auto z = MakeMatrix<int32_t>(random, shape.rows, kernels::PaddedColumns(shape.columns), -9, 9,
                                 Filling::kUniform);
    kernels::Multiply(x.matrix(), Packed(w), z.matrix());
    ExpectEqual<int32_t>(z.matrix(), Multiply(Widen(x.matrix()), Widen(w.matrix())));
  });
}

TEST_P(PackedProductTest, RunsEqualTheDefinitionWhereInt32WouldWrap) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& range,
                 Filling x_filling, Filling w_filling) {
    const auto x =
        MakeMatrix<int16_t>(random, shape.rows, shape.depth, range.x_low, range.x_high, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.depth, shape.columns, -range.w_limit,
                                       range.w_limit, w_filling);
    auto z = MakeMatrix<int64_t>(random, shape.rows, shape.columns, -9, 9, Filling::kUniform);
    auto scratch = MakeMatrix<int32_t>(random, shape.rows, kernels::PaddedColumns(shape.columns),
                                       -9, 9, Filling::kUniform);
    kernels::MultiplyInRuns(x.matrix(), Packed(w), static_cast<uint32_t>(range.w_limit),
                            scratch.matrix(), z.matrix());
    ExpectEqual<int64_t>(z.matrix(), Multiply(Widen(x.matrix()), Widen(w.matrix())));
  });
}

TEST_P(PackedProductTest, TransposedEqualsTheDefinitionForRaggedShapesAndExtremeValues) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& wide,
                 Filling x_filling, Filling w_filling) {
    const Range range = Narrowed(wide, shape.depth);
    const auto x =
        MakeMatrix<int16_t>(random, shape.rows, shape.depth, range.x_low, range.x_high, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.columns, shape.depth, -range.w_limit,
                                       range.w_limit, w_filling);
    auto z = MakeMatrix<int32_t>(random, shape.rows, shape.columns, -9, 9, Filling::kUniform);
    kernels::MultiplyTransposed(x.matrix(), Packed(w), z.matrix());
    ExpectEqual<int32_t>(z.matrix(), Multiply(Widen(x.matrix()), Transpose(Widen(w.matrix()))));
  });
}

INSTANTIATE_TEST_SUITE_P(Levels, PackedProductTest,
                         ::testing::ValuesIn(kernels::UsableLevels().begin(),
                                             kernels::UsableLevels().end()),
                         [](const auto& info) {
                           return std::string(kernels::LevelName(info.param));
                         });

TEST(WideProductTest, EqualsTheDefinitionForAllOf16Bits) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& range,
                 Filling x_filling, Filling w_filling) {
    const auto x =
        MakeMatrix<int16_t>(random, shape.rows, shape.depth, range.x_low, range.x_high, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.depth, shape.columns, -range.w_limit,
                                       range.w_limit, w_filling);
    auto z = MakeMatrix<int64_t>(random, shape.rows, shape.columns, -9, 9, Filling::kUniform);
    kernels::WideMultiply(x.matrix(), Packed(w), z.matrix());
    ExpectEqual<int64_t>(z.matrix(), Multiply(Widen(x.matrix()), Widen(w.matrix())));

    const auto w_rows = MakeMatrix<int16_t>(random, shape.columns, shape.depth, -range.w_limit,
                                            range.w_limit, w_filling);
    kernels::WideMultiplyTransposed(x.matrix(), Packed(w_rows), z.matrix());
    ExpectEqual<int64_t>(z.matrix(),
                         Multiply(Widen(x.matrix()), Transpose(Widen(w_rows.matrix()))));
  });
}

TEST(WideProductTest, EqualsTheDefinitionUpToTheEdgeOfInt64) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& range,
                 Filling x_filling, Filling w_filling) {
    // The largest x for which no sum of depth products can leave int64.
    const int64_t x_limit = INT64_MAX / (static_cast<int64_t>(shape.depth) * range.w_limit);
    const auto x =
        MakeMatrix<int64_t>(random, shape.rows, shape.depth, -x_limit, x_limit, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.depth, shape.columns, -range.w_limit,
                                       range.w_limit, w_filling);
    Tensor<int64_t> z(Shape({shape.rows, shape.columns}));
    kernels::WideMultiply(x.matrix(), Packed(w), z.matrix());
    ExpectEqual<int64_t>(z.matrix(), Multiply(Widen(x.matrix()), Widen(w.matrix())));

    const auto w_rows = MakeMatrix<int16_t>(random, shape.columns, shape.depth, -range.w_limit,
                                            range.w_limit, w_filling);
    kernels::WideMultiplyTransposed(x.matrix(), Packed(w_rows), z.matrix());
    ExpectEqual<int64_t>(z.matrix(),
                         Multiply(Widen(x.matrix()), Transpose(Widen(w_rows.matrix()))));
  });
}

TEST(RowSumMaxTest, IsTheLargestSumOfMagnitudes) {
  Tensor<int16_t> x(Shape({3, 70000}));
  for (size_t k = 0; k < 70000; ++k) x.matrix().Row(1)[k] = -32768;
  x.matrix().Row(2)[69999] = 32767;
  EXPECT_EQ(kernels::RowSumMax(x.matrix()), uint64_t{70000} * 32768);
  EXPECT_EQ(kernels::RowSumMax(x.matrix().FirstRows(1)), 0u);
}

TEST(PackedMatrixTest, PacksAndUnpacksEveryShapeWithZeroesAround) {
  std::mt19937_64 random(8);
  for (const Dimensions& shape : kShapes) {
    const auto plain =
        MakeMatrix<int8_t>(random, shape.depth, shape.columns, -128, 127, Filling::kUniform);
    kernels::PackedMatrix<int8_t> packed(shape.depth, shape.columns);
    packed.Pack(plain.matrix());
    auto back = MakeMatrix<int8_t>(random, shape.depth, shape.columns, 5, 5, Filling::kHighest);
    packed.Unpack(back.matrix());
    for (size_t i = 0; i < plain.size(); ++i) ASSERT_EQ(back[i], plain[i]);
    int64_t stored = 0;
    int64_t wanted = 0;
    for (size_t p = 0; p < packed.panels(); ++p) {
      for (size_t line = 0; line < packed.lines(); ++line) {
        for (size_t i = 0; i < packed.kLine; ++i) stored += std::abs(packed.Line(p, line)[i]);
      }
    }
    for (const int8_t value : plain.elements()) wanted += std::abs(value);
    EXPECT_EQ(stored, wanted);
  }
}

}  // namespace
}  // namespace tally
