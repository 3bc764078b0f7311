// Goal: max-pooling finds the first largest element of each window, and errors go where it was.
// Method: values by hand, then random shapes with few distinct values, so that ties are common,
// against loops written from the definition.

#include "core/kernels/pooling.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/reference_convolution.h"
#include "tests/core/kernels/level_fixture.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::kernels {
namespace {

using reference::Widen;
using test::AnyFilling;
using test::Guarded;
using test::MakeMatrix;
using test::OneTo;

class PoolingTest : public test::LevelTest {};

// Image sizes that no window divides among them, a window of one and of the whole image, and of 256
// places.
std::vector<PoolingShape> Shapes(std::mt19937_64& random) {
  std::vector<PoolingShape> shapes = {{24, 24, 20, 2, 2}, {8, 8, 50, 2, 2}, {5, 7, 3, 2, 2},
                                      {1, 1, 1, 1, 1},    {6, 6, 64, 6, 6}, {33, 17, 1, 16, 16},
                                      {1, 9, 33, 1, 2},   {7, 2, 16, 3, 1}};
  for (int i = 0; i < 100; ++i) {
    PoolingShape shape;
    shape.window_height = OneTo(random, 4);
    shape.window_width = OneTo(random, 4);
    shape.height = shape.window_height + random() % 9;
    shape.width = shape.window_width + random() % 9;
    shape.channels = OneTo(random, 40);
    shapes.push_back(shape);
  }
  return shapes;
}

TEST_P(PoolingTest, FindsTheFirstLargestElement) {
  // One channel; a last row and column that no window has.
  const std::vector<int8_t> image = {-128, -128, 5, 6,  9,  //
                                     -128, -128, 7, 7,  9,  //
                                     1,    0,    3, -4, 9,  //
                                     9,    9,    9, 9,  9};
  const PoolingShape shape = {4, 5, 1, 2, 2};
  std::vector<int8_t> out(4);
  std::vector<uint8_t> places(4);
  MaxPool({image.data(), 1, 20}, shape, {out.data(), 1, 4}, {places.data(), 1, 4});
  EXPECT_EQ(out, (std::vector<int8_t>{-128, 7, 9, 9}));
  EXPECT_EQ(places, (std::vector<uint8_t>{0, 2, 2, 2}));

  std::vector<int8_t> e(20, 77);
  const std::vector<int8_t> d = {1, -2, 3, -128};
  MaxPoolError({d.data(), 1, 4}, {places.data(), 1, 4}, shape, {e.data(), 1, 20});
  EXPECT_EQ(e, (std::vector<int8_t>{1, 0, 0,    0, 0,  //
                                    0, 0, -2,   0, 0,  //
                                    0, 0, 0,    0, 0,  //
                                    3, 0, -128, 0, 0}));
}

TEST_P(PoolingTest, PoolsEveryShape) {
  for (const PoolingShape& shape : Shapes(random_)) {
    SCOPED_TRACE(testing::Message()
                 << shape.height << "x" << shape.width << "x" << shape.channels << ", window "
                 << shape.window_height << "x" << shape.window_width);
    const size_t rows = OneTo(random_, 3);
    const int64_t low = random_() % 2 == 0 ? -128 : 125;
    const auto images =
        MakeMatrix<int8_t>(random_, rows, shape.ImageElements(), low, 127, AnyFilling(random_));
    const auto expected = reference::MaxPool(Widen(images.matrix()), shape);
    Guarded<int8_t> out(rows, shape.OutElements());
    Guarded<uint8_t> places(rows, shape.OutElements());
    MaxPool(images.matrix(), shape, out.view(), places.view());
    out.ExpectEquals(expected.largest);
    places.ExpectEquals(expected.places);
    Guarded<int8_t> alone(rows, shape.OutElements());
    MaxPool(images.matrix(), shape, alone.view());
    alone.ExpectEquals(expected.largest);

    const auto d =
        MakeMatrix<int8_t>(random_, rows, shape.OutElements(), -128, 127, AnyFilling(random_));
    Guarded<int8_t> e(rows, shape.ImageElements());
    MaxPoolError(d.matrix(), places.view(), shape, e.view());
    e.ExpectEquals(reference::MaxPoolError(Widen(d.matrix()), expected.places, shape));
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, PoolingTest, test::EveryLevel(), test::NameOfLevel);

TEST(PoolingDeathTest, RefusesWindowsThatDoNotFit) {
  const std::vector<int8_t> image(6);
  std::vector<int8_t> out(6);
  EXPECT_DEATH(MaxPool({image.data(), 1, 6}, {2, 3, 1, 3, 1}, {out.data(), 1, 0}), "check failed");
}

}  // namespace
}  // namespace tally::kernels
