// Goal: products with packed weights are exact at every level this machine can run, for every shape
// and up to the ends of the ranges.
// Method: shapes around the sizes of tiles, panels, blocks and chunks, with random and extreme
// fillings, against plain loops in int64.

#include "core/kernels/packed_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/level.h"
#include "core/kernels/reference.h"
#include "tests/core/kernels/level_fixture.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::kernels {
namespace {

using reference::Matrix;
using reference::Multiply;
using reference::Transpose;
using reference::Widen;
using test::AnyFilling;
using test::ExpectGradient;
using test::Filling;
using test::Guarded;
using test::MakeMatrix;
using test::OldSums;
using test::OneTo;
using test::Packed;

// Around tiles of 1 to 16 rows, panels of 16 columns and their halves, chunks of 16 panels, words
// of 4 bytes, registers of 64 bytes and blocks of 1024.
constexpr size_t kRows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 28, 29, 43};
constexpr size_t kColumns[] = {1,  4,  7,  8,  9,  15, 16, 17,  24,  25,  31, 32,
                               33, 48, 50, 64, 65, 96, 99, 100, 128, 255, 257};
constexpr size_t kDepths[] = {1,  2,  3,  4,   5,   6,   7,    8,    9,    27,  31,
                              63, 64, 65, 100, 255, 512, 1023, 1024, 1025, 2051};

struct Dimensions {
  size_t rows, depth, columns;
};

template <size_t kCount>
size_t Any(std::mt19937_64& random, const size_t (&values)[kCount]) {
  return values[random() % kCount];
}

// Every row count with some depth and columns, and likewise the others; `extra` random shapes.
std::vector<Dimensions> Shapes(std::mt19937_64& random, size_t extra) {
  std::vector<Dimensions> shapes;
  for (const size_t rows : kRows)
    shapes.push_back({rows, Any(random, kDepths), Any(random, kColumns)});
  for (const size_t depth : kDepths)
    shapes.push_back({Any(random, kRows), depth, Any(random, kColumns)});
  for (const size_t columns : kColumns)
    shapes.push_back({Any(random, kRows), Any(random, kDepths), columns});
  for (size_t i = 0; i < extra; ++i) {
    shapes.push_back({OneTo(random, 40), OneTo(random, 300), OneTo(random, 120)});
  }
  return shapes;
}

class PackedGemmTest : public test::LevelTest {};

TEST_P(PackedGemmTest, MultipliesInt8OfEveryShapeAndFilling) {
  for (const Dimensions& shape : Shapes(random_, 60)) {
    SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << "x" << shape.depth);
    const auto x =
        MakeMatrix<int8_t>(random_, shape.rows, shape.depth, -128, 127, AnyFilling(random_));
    const auto w =
        MakeMatrix<int8_t>(random_, shape.depth, shape.columns, -128, 127, AnyFilling(random_));
    Guarded<int32_t> z(shape.rows, shape.columns);
    PackedGemm(RowsView<int8_t>(x.matrix()), Packed(w), z.view());
    z.ExpectEquals(Multiply(Widen(x.matrix()), Widen(w.matrix())));
    if (HasFailure()) return;
  }
}

TEST_P(PackedGemmTest, MultipliesRowsThatLieFurtherApartThanTheyAreLong) {
  // 4096 is where rows compete for the same lines of a cache.
  for (const size_t stride : {33u, 40u, 96u, 4096u}) {
    const size_t rows = 17;
    const auto x = MakeMatrix<int8_t>(random_, rows, stride, -128, 127, Filling::kUniform);
    const auto w = MakeMatrix<int8_t>(random_, 30, 40, -128, 127, Filling::kUniform);
    Matrix used(rows, 30);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t k = 0; k < 30; ++k) used.at(r, k) = x.matrix().Row(r)[3 + k];
    }
    Guarded<int32_t> z(rows, 40);
    PackedGemm({x.data() + 3, rows, 30, stride}, Packed(w), z.view());
    z.ExpectEquals(Multiply(used, Widen(w.matrix())));
  }
}

TEST_P(PackedGemmTest, HoldsTheLargestSumsOfInt8) {
  const size_t depth = kInt8DepthMax;
  for (const int64_t weight : {-128, 127}) {
    const auto x = MakeMatrix<int8_t>(random_, 3, depth, -128, -128, Filling::kLowest);
    const auto w = MakeMatrix<int8_t>(random_, depth, 18, weight, weight, Filling::kLowest);
    Guarded<int32_t> z(3, 18);
    PackedGemm(RowsView<int8_t>(x.matrix()), Packed(w), z.view());
    z.ExpectEquals(Multiply(Widen(x.matrix()), Widen(w.matrix())));
  }
}

struct Range {
  int64_t x_low, x_high, w_low, w_high;
};

// Pixels, activations, and both ends of what int16 can do without two products leaving int32.
constexpr Range kRanges[] = {{0, 255, -32767, 32767},        {-127, 127, -32767, 32767},
                             {-32768, 32767, -32767, 32767}, {-32767, 32767, -32768, 32767},
                             {-142, 127, -51, 51},           {-3, 3, -1, 1},
                             {0, 0, -32768, 32767}};

Magnitudes MagnitudesOf(const Range& range) {
  return {static_cast<uint32_t>(std::max(-range.x_low, range.x_high)),
          static_cast<uint32_t>(std::max(-range.w_low, range.w_high))};
}

TEST_P(PackedGemmTest, MultipliesInt16OfEveryShapeAndRange) {
  for (const Dimensions& shape : Shapes(random_, 60)) {
    const Range& range = kRanges[random_() % std::size(kRanges)];
    SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << "x" << shape.depth
                                    << " x in [" << range.x_low << ", " << range.x_high << "]");
    const auto x = MakeMatrix<int16_t>(random_, shape.rows, shape.depth, range.x_low, range.x_high,
                                       AnyFilling(random_));
    const auto w = MakeMatrix<int16_t>(random_, shape.depth, shape.columns, range.w_low,
                                       range.w_high, AnyFilling(random_));
    const Matrix expected = Multiply(Widen(x.matrix()), Widen(w.matrix()));
    Guarded<int64_t> wide(shape.rows, shape.columns);
    PackedGemm(RowsView<int16_t>(x.matrix()), Packed(w), MagnitudesOf(range), wide.view());
    wide.ExpectEquals(expected);
    if (SumFitsInt32(shape.depth, MagnitudesOf(range))) {
      Guarded<int32_t> narrow(shape.rows, shape.columns);
      PackedGemm(RowsView<int16_t>(x.matrix()), Packed(w), MagnitudesOf(range), narrow.view());
      narrow.ExpectEquals(expected);
    }
    if (HasFailure()) return;
  }
}

TEST_P(PackedGemmTest, HoldsTheLargestSumsOfInt16) {
  // 15 rows of 2099: int64 sums of products near 2^30, all of one sign.
  for (const int64_t weight : {-32767, 32767}) {
    const auto x = MakeMatrix<int16_t>(random_, 15, 2099, -32768, -32768, Filling::kLowest);
    const auto w = MakeMatrix<int16_t>(random_, 2099, 23, weight, weight, Filling::kLowest);
    Guarded<int64_t> z(15, 23);
    PackedGemm(RowsView<int16_t>(x.matrix()), Packed(w), {32768, 32767}, z.view());
    z.ExpectEquals(Multiply(Widen(x.matrix()), Widen(w.matrix())));
  }
}

TEST_P(PackedGemmTest, TellsOfEveryRowOnceWhenItIsComplete) {
  // More than one block of the depth and more than one chunk of panels.
  const auto x = MakeMatrix<int8_t>(random_, 31, 2500, -128, 127, Filling::kUniform);
  const auto w = MakeMatrix<int8_t>(random_, 2500, 300, -128, 127, Filling::kUniform);
  const auto transposed = MakeMatrix<int8_t>(random_, 300, 2500, -128, 127, Filling::kUniform);
  const Matrix expected = Multiply(Widen(x.matrix()), Widen(w.matrix()));
  const Matrix expected_too = Multiply(Widen(x.matrix()), Transpose(Widen(transposed.matrix())));
  Tensor<int32_t> z(Shape({31, 300}));
  const Matrix* current = &expected;
  std::vector<int> told(31, 0);
  const auto check = [&](size_t first_row, size_t rows) {
    for (size_t r = first_row; r < first_row + rows; ++r) {
      ++told[r];
      for (size_t j = 0; j < 300; ++j) ASSERT_EQ(z.matrix().Row(r)[j], current->at(r, j));
    }
  };
  PackedGemm(RowsView<int8_t>(x.matrix()), Packed(w), z.matrix(), check);
  EXPECT_EQ(told, std::vector<int>(31, 1));
  current = &expected_too;
  PackedGemmTransposed(RowsView<int8_t>(x.matrix()), Packed(transposed), z.matrix(), check);
  EXPECT_EQ(told, std::vector<int>(31, 2));
}

TEST_P(PackedGemmTest, LeavesFurtherColumnsOfTheResultAlone) {
  const auto x = MakeMatrix<int8_t>(random_, 9, 30, -128, 127, Filling::kUniform);
  const auto w = MakeMatrix<int8_t>(random_, 30, 21, -128, 127, Filling::kUniform);
  const auto w_rows = MakeMatrix<int8_t>(random_, 21, 30, -128, 127, Filling::kUniform);
  for (const bool transposed : {false, true}) {
    Guarded<int32_t> z(9, 32);
    Matrix expected(9, 32);
    const Matrix product = transposed
                               ? Multiply(Widen(x.matrix()), Transpose(Widen(w_rows.matrix())))
                               : Multiply(Widen(x.matrix()), Widen(w.matrix()));
    for (size_t r = 0; r < 9; ++r) {
      for (size_t j = 0; j < 32; ++j) {
        expected.at(r, j) = j < 21 ? product.at(r, j) : z.view().Row(r)[j];
      }
    }
    if (transposed) {
      PackedGemmTransposed(RowsView<int8_t>(x.matrix()), Packed(w_rows), z.view());
    } else {
      PackedGemm(RowsView<int8_t>(x.matrix()), Packed(w), z.view());
    }
    z.ExpectEquals(expected);
  }
}

TEST_P(PackedGemmTest, MultipliesByTransposedWeights) {
  for (const Dimensions& shape : Shapes(random_, 60)) {
    SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << "x" << shape.depth);
    const auto d =
        MakeMatrix<int8_t>(random_, shape.rows, shape.depth, -128, 127, AnyFilling(random_));
    const auto w =
        MakeMatrix<int8_t>(random_, shape.columns, shape.depth, -128, 127, AnyFilling(random_));
    Guarded<int32_t> e(shape.rows, shape.columns);
    PackedGemmTransposed(RowsView<int8_t>(d.matrix()), Packed(w), e.view());
    e.ExpectEquals(Multiply(Widen(d.matrix()), Transpose(Widen(w.matrix()))));
    if (HasFailure()) return;
  }
}

TEST_P(PackedGemmTest, MultipliesInt16ByTransposedWeights) {
  for (const Dimensions& shape : Shapes(random_, 60)) {
    const Range& range = kRanges[random_() % std::size(kRanges)];
    SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << "x" << shape.depth
                                    << " d in [" << range.x_low << ", " << range.x_high << "]");
    const auto d = MakeMatrix<int16_t>(random_, shape.rows, shape.depth, range.x_low, range.x_high,
                                       AnyFilling(random_));
    const auto w = MakeMatrix<int16_t>(random_, shape.columns, shape.depth, range.w_low,
                                       range.w_high, AnyFilling(random_));
    const Matrix expected = Multiply(Widen(d.matrix()), Transpose(Widen(w.matrix())));
    Guarded<int64_t> wide(shape.rows, shape.columns);
    PackedGemmTransposed(RowsView<int16_t>(d.matrix()), Packed(w), MagnitudesOf(range),
                         wide.view());
    wide.ExpectEquals(expected);
    if (SumFitsInt32(shape.depth, MagnitudesOf(range))) {
      Guarded<int32_t> narrow(shape.rows, shape.columns);
      PackedGemmTransposed(RowsView<int16_t>(d.matrix()), Packed(w), MagnitudesOf(range),
                           narrow.view());
      narrow.ExpectEquals(expected);
    }
    if (HasFailure()) return;
  }
}

TEST_P(PackedGemmTest, SumsGradientsOfInt8) {
  for (Dimensions shape : Shapes(random_, 60)) {
    // The depth of these products is the rows.
    if (random_() % 2 == 0) std::swap(shape.rows, shape.depth);
    SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << "x" << shape.depth);
    const auto x =
        MakeMatrix<int8_t>(random_, shape.rows, shape.depth, -128, 127, AnyFilling(random_));
    const auto d =
        MakeMatrix<int8_t>(random_, shape.rows, shape.columns, -128, 127, AnyFilling(random_));
    const Matrix expected = Multiply(Transpose(Widen(x.matrix())), Widen(d.matrix()));
    auto sums = OldSums<int32_t>(shape.depth, shape.columns);
    GradientGemm(RowsView<int8_t>(x.matrix()), RowsView<int8_t>(d.matrix()), sums);
    ExpectGradient(sums, expected);
    auto wide = OldSums<int64_t>(shape.depth, shape.columns);
    GradientGemm(RowsView<int8_t>(x.matrix()), RowsView<int8_t>(d.matrix()), wide);
    ExpectGradient(wide, expected);
    if (HasFailure()) return;
  }
}

TEST_P(PackedGemmTest, SumsGradientsOfInt16) {
  for (Dimensions shape : Shapes(random_, 60)) {
    if (random_() % 2 == 0) std::swap(shape.rows, shape.depth);
    const Range& range = kRanges[random_() % std::size(kRanges)];
    SCOPED_TRACE(testing::Message() << shape.rows << "x" << shape.columns << "x" << shape.depth
                                    << " x in [" << range.x_low << ", " << range.x_high << "]");
    const auto x = MakeMatrix<int16_t>(random_, shape.rows, shape.depth, range.x_low, range.x_high,
                                       AnyFilling(random_));
    const auto d = MakeMatrix<int16_t>(random_, shape.rows, shape.columns, range.w_low,
                                       range.w_high, AnyFilling(random_));
    const Matrix expected = Multiply(Transpose(Widen(x.matrix())), Widen(d.matrix()));
    auto wide = OldSums<int64_t>(shape.depth, shape.columns);
    GradientGemm(RowsView<int16_t>(x.matrix()), RowsView<int16_t>(d.matrix()), MagnitudesOf(range),
                 wide);
    ExpectGradient(wide, expected);
    if (SumFitsInt32(shape.rows, MagnitudesOf(range))) {
      auto sums = OldSums<int32_t>(shape.depth, shape.columns);
      GradientGemm(RowsView<int16_t>(x.matrix()), RowsView<int16_t>(d.matrix()),
                   MagnitudesOf(range), sums);
      ExpectGradient(sums, expected);
    }
    if (HasFailure()) return;
  }
}

TEST_P(PackedGemmTest, HoldsTheLargestGradients) {
  // As many pixels as a mini-batch of convolutions has; the wide sums would not fit int32.
  const auto x = MakeMatrix<int8_t>(random_, kInt8DepthMax, 3, -128, -128, Filling::kLowest);
  const auto d = MakeMatrix<int8_t>(random_, kInt8DepthMax, 2, -128, -128, Filling::kLowest);
  const Matrix expected = Multiply(Transpose(Widen(x.matrix())), Widen(d.matrix()));
  auto sums = OldSums<int32_t>(3, 2);
  GradientGemm(RowsView<int8_t>(x.matrix()), RowsView<int8_t>(d.matrix()), sums);
  ExpectGradient(sums, expected);

  const size_t more = 262144;
  const auto long_x = MakeMatrix<int8_t>(random_, more, 3, -128, -128, Filling::kLowest);
  const auto long_d = MakeMatrix<int8_t>(random_, more, 2, 127, 127, Filling::kLowest);
  auto wide = OldSums<int64_t>(3, 2);
  GradientGemm(RowsView<int8_t>(long_x.matrix()), RowsView<int8_t>(long_d.matrix()), wide);
  for (size_t k = 0; k < 3; ++k) ASSERT_EQ(wide.At(k, 1), int64_t{-128} * 127 * 262144);
}

INSTANTIATE_TEST_SUITE_P(Levels, PackedGemmTest, test::EveryLevel(), test::NameOfLevel);

TEST(PackedGemmBoundsTest, SayWhenSumsFitInt32) {
  EXPECT_TRUE(SumFitsInt32(516, {127, 32767}));
  EXPECT_FALSE(SumFitsInt32(517, {127, 32767}));
  EXPECT_TRUE(SumFitsInt32(2, {32768, 32767}));
  EXPECT_FALSE(SumFitsInt32(2, {32768, 32768}));
  EXPECT_TRUE(SumFitsInt32(SIZE_MAX, {0, 32768}));
}

TEST(PackedGemmDeathTest, RefusesWhatCouldWrap) {
  const Tensor<int8_t> x(Shape({1, kInt8DepthMax + 1}));
  Tensor<int32_t> z(Shape({1, 1}));
  const PackedMatrix<int8_t> w(kInt8DepthMax + 1, 1);
  EXPECT_DEATH(PackedGemm(RowsView<int8_t>(x.matrix()), w, z.matrix()), "check failed");

  const Tensor<int16_t> x16(Shape({1, 517}));
  const PackedMatrix<int16_t> w16(517, 1);
  EXPECT_DEATH(PackedGemm(RowsView<int16_t>(x16.matrix()), w16, {127, 32767}, z.matrix()),
               "check failed");
  Tensor<int64_t> wide(Shape({1, 1}));
  EXPECT_DEATH(PackedGemm(RowsView<int16_t>(x16.matrix()), w16, {32768, 32768}, wide.matrix()),
               "check failed");
}

}  // namespace
}  // namespace tally::kernels
