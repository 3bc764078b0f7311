// Goal: the matrix products are exact for every shape and every value, at the ends of the ranges
// too. Method: ragged shapes and worst-case fillings against the slow reference.

#include "core/kernels/gemm.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>

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

void ExpectEqual(const Tensor<int64_t>& actual, const Matrix& expected) {
  for (size_t i = 0; i < actual.size(); ++i) {
    ASSERT_EQ(actual[i], expected.elements[i]) << "element " << i;
  }
}

TEST(GemmTest, EqualsTheDefinitionForRaggedShapesAndExtremeValues) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& range,
                 Filling x_filling, Filling w_filling) {
    const auto x =
        MakeMatrix<int16_t>(random, shape.rows, shape.depth, range.x_low, range.x_high, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.depth, shape.columns, -range.w_limit,
                                       range.w_limit, w_filling);
    const Matrix expected = Multiply(Widen(x.matrix()), Widen(w.matrix()));
    // Old contents must not shine through.
    auto z = MakeMatrix<int64_t>(random, shape.rows, shape.columns, -9, 9, Filling::kUniform);
    kernels::Gemm(x.matrix(), w.matrix(), static_cast<int32_t>(range.w_limit), z.matrix());
    ExpectEqual(z, expected);
  });
}

TEST(GemmTest, TransposedEqualsTheDefinitionForRaggedShapesAndExtremeValues) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& range,
                 Filling x_filling, Filling w_filling) {
    const auto x =
        MakeMatrix<int16_t>(random, shape.rows, shape.depth, range.x_low, range.x_high, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.columns, shape.depth, -range.w_limit,
                                       range.w_limit, w_filling);
    const Matrix expected = Multiply(Widen(x.matrix()), Transpose(Widen(w.matrix())));
    auto z = MakeMatrix<int64_t>(random, shape.rows, shape.columns, -9, 9, Filling::kUniform);
    kernels::GemmTransposed(x.matrix(), w.matrix(), static_cast<int32_t>(range.w_limit),
                            z.matrix());
    ExpectEqual(z, expected);
  });
}

TEST(GemmTest, WideVersionsEqualTheDefinitionUpToTheEdgeOfInt64) {
  ForEachCase([](std::mt19937_64& random, const Dimensions& shape, const Range& range,
                 Filling x_filling, Filling w_filling) {
    // The largest x for which no sum of depth products can leave int64.
    const int64_t x_limit = INT64_MAX / (static_cast<int64_t>(shape.depth) * range.w_limit);
    const auto x =
        MakeMatrix<int64_t>(random, shape.rows, shape.depth, -x_limit, x_limit, x_filling);
    const auto w = MakeMatrix<int16_t>(random, shape.depth, shape.columns, -range.w_limit,
                                       range.w_limit, w_filling);
    Tensor<int64_t> z(Shape({shape.rows, shape.columns}));
    kernels::WideGemm(x.matrix(), w.matrix(), z.matrix());
    ExpectEqual(z, Multiply(Widen(x.matrix()), Widen(w.matrix())));

    const auto w_rows = MakeMatrix<int16_t>(random, shape.columns, shape.depth, -range.w_limit,
                                            range.w_limit, w_filling);
    kernels::WideGemmTransposed(x.matrix(), w_rows.matrix(), z.matrix());
    ExpectEqual(z, Multiply(Widen(x.matrix()), Transpose(Widen(w_rows.matrix()))));
  });
}

TEST(GemmTest, NarrowAndWideKernelsGiveTheSameBits) {
  std::mt19937_64 random(5);
  const auto x = MakeMatrix<int16_t>(random, 20, 784, -32768, 32767, Filling::kUniform);
  const auto w = MakeMatrix<int16_t>(random, 784, 100, -32767, 32767, Filling::kUniform);
  Tensor<int64_t> wide_x(x.shape());
  for (size_t i = 0; i < x.size(); ++i) wide_x[i] = x[i];
  Tensor<int64_t> narrow_z(Shape({20, 100}));
  Tensor<int64_t> wide_z(Shape({20, 100}));
  kernels::Gemm(x.matrix(), w.matrix(), 32767, narrow_z.matrix());
  kernels::WideGemm(wide_x.matrix(), w.matrix(), wide_z.matrix());
  for (size_t i = 0; i < narrow_z.size(); ++i) ASSERT_EQ(narrow_z[i], wide_z[i]);
}

}  // namespace
}  // namespace tally
