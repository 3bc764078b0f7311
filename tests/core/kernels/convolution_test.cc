// Goal: convolutions and both of their gradients are exact at every level this machine can run, for
// every shape and up to the ends of the ranges.
// Method: hand-picked shapes at the edges (padding, kernels of one pixel and of the whole image,
// odd sizes, channels and units around words, panels and blocks, signals) and random ones, with
// random and extreme fillings, against loops in int64 written from the definition.

#include "core/kernels/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "core/kernels/reference_convolution.h"
#include "tests/core/kernels/level_fixture.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::kernels {
namespace {

using reference::Matrix;
using reference::Widen;
using test::AnyFilling;
using test::ExpectGradient;
using test::Filling;
using test::Guarded;
using test::MakeMatrix;
using test::OldSums;
using test::OneTo;
using test::Packed;

struct Case {
  size_t images;
  ConvolutionShape shape;
};

constexpr Case kEdges[] = {
    // Height, width, channels; kernel; padding; units.
    {1, {1, 1, 1, 1, 1, 0, 0, 1}},
    {3, {5, 7, 6, 1, 1, 0, 0, 17}},    // a product of every pixel
    {2, {4, 4, 16, 1, 1, 1, 1, 16}},   // with positions that see zeros only
    {2, {6, 5, 3, 6, 5, 0, 0, 20}},    // a kernel as large as the image
    {2, {3, 3, 4, 7, 7, 2, 2, 5}},     // and one that is larger
    {2, {4, 5, 2, 3, 3, 5, 4, 7}},     // more padding than a kernel has rows
    {2, {28, 28, 1, 5, 5, 0, 0, 20}},  // the layers of niti/lenet
    {1, {12, 12, 20, 5, 5, 0, 0, 50}},
    {1, {16, 16, 3, 3, 3, 1, 1, 64}},  // layers of VGG
    {1, {8, 8, 64, 3, 3, 1, 1, 64}},
    {1, {4, 4, 128, 3, 3, 1, 1, 33}},  // blocks of the depth
    {2, {1, 128, 9, 1, 9, 0, 4, 32}},  // signals
    {2, {1, 50, 32, 1, 5, 0, 0, 24}},
    {2, {40, 1, 5, 7, 1, 3, 0, 9}},
    {2, {128, 1, 9, 5, 1, 0, 0, 32}},
    {2, {12, 1, 6, 3, 1, 1, 1, 8}},
    {1, {1, 700, 3, 1, 650, 0, 5, 18}},  // a kernel row of more than a block
    {1, {1, 6, 1100, 1, 3, 0, 1, 9}},
    {1, {3, 3, 9, 3, 3, 1, 1, 300}},  // more than a chunk of panels
    {1, {3, 2, 270, 2, 2, 1, 1, 40}},
    {9, {2, 2, 5, 2, 2, 0, 0, 8}},  // one position an image
    {5, {3, 4, 7, 3, 3, 1, 1, 12}},
};

std::vector<Case> Cases(std::mt19937_64& random, size_t extra) {
  std::vector<Case> cases(std::begin(kEdges), std::end(kEdges));
  while (cases.size() < std::size(kEdges) + extra) {
    ConvolutionShape shape;
    shape.height = OneTo(random, 9);
    shape.width = OneTo(random, 20);
    shape.channels = OneTo(random, 37);
    shape.padding_height = random() % 3;
    shape.padding_width = random() % 3;
    shape.kernel_height = OneTo(random, std::min<size_t>(5, shape.height + shape.padding_height));
    shape.kernel_width = OneTo(random, std::min<size_t>(5, shape.width + shape.padding_width));
    shape.units = OneTo(random, 40);
    cases.push_back({OneTo(random, 4), shape});
  }
  return cases;
}

std::string Describe(const Case& tested) {
  const ConvolutionShape& s = tested.shape;
  return std::to_string(tested.images) + " images " + std::to_string(s.height) + "x" +
         std::to_string(s.width) + "x" + std::to_string(s.channels) + ", kernel " +
         std::to_string(s.kernel_height) + "x" + std::to_string(s.kernel_width) + ", padding " +
         std::to_string(s.padding_height) + "," + std::to_string(s.padding_width) + ", units " +
         std::to_string(s.units);
}

class ConvolutionTest : public test::LevelTest {
 protected:
  Tensor<int8_t> Int8(size_t rows, size_t columns) {
    return MakeMatrix<int8_t>(random_, rows, columns, -128, 127, AnyFilling(random_));
  }
};

TEST_P(ConvolutionTest, ConvolvesEveryShapeAndFilling) {
  for (const Case& tested : Cases(random_, 80)) {
    SCOPED_TRACE(Describe(tested));
    const ConvolutionShape& shape = tested.shape;
    const auto images = Int8(tested.images, shape.ImageElements());
    const auto weights = Int8(shape.Depth(), shape.units);
    Guarded<int32_t> z(tested.images * shape.Positions(), shape.units);
    Convolve(images.matrix(), shape, Packed(weights), z.view());
    z.ExpectEquals(reference::Convolve(Widen(images.matrix()), shape, Widen(weights.matrix())));
    if (HasFailure()) return;
  }
}

TEST_P(ConvolutionTest, ReturnsErrorsOfEveryShapeAndFilling) {
  for (const Case& tested : Cases(random_, 80)) {
    SCOPED_TRACE(Describe(tested));
    const ConvolutionShape& shape = tested.shape;
    const auto d = Int8(tested.images * shape.Positions(), shape.units);
    const auto weights = Int8(shape.Depth(), shape.units);
    Guarded<int32_t> e(tested.images, shape.ImageElements());
    ConvolutionError(d.matrix(), shape, Packed(weights), e.view());
    e.ExpectEquals(reference::ConvolutionError(Widen(d.matrix()), shape, Widen(weights.matrix())));
    if (HasFailure()) return;
  }
}

TEST_P(ConvolutionTest, SumsGradientsOfEveryShapeAndFilling) {
  for (const Case& tested : Cases(random_, 80)) {
    SCOPED_TRACE(Describe(tested));
    const ConvolutionShape& shape = tested.shape;
    const auto images = Int8(tested.images, shape.ImageElements());
    const auto d = Int8(tested.images * shape.Positions(), shape.units);
    const Matrix expected =
        reference::ConvolutionGradient(Widen(images.matrix()), Widen(d.matrix()), shape);
    auto sums = OldSums<int32_t>(shape.Depth(), shape.units);
    ConvolutionGradient(images.matrix(), d.matrix(), shape, sums);
    ExpectGradient(sums, expected);
    auto wide = OldSums<int64_t>(shape.Depth(), shape.units);
    ConvolutionGradient(images.matrix(), d.matrix(), shape, wide);
    ExpectGradient(wide, expected);
    if (HasFailure()) return;
  }
}

// Shapes for which scratch memory helps on some level, at their edges: odd sizes, one row, tiles
// that see padding only, columns that fill no panel, the most channels, several images a block.
std::vector<Case> CasesForScratch(std::mt19937_64& random) {
  std::vector<Case> cases = {{2, {8, 8, 64, 3, 3, 1, 1, 64}},   {1, {5, 7, 32, 3, 3, 1, 1, 33}},
                             {1, {3, 3, 34, 3, 3, 0, 0, 47}},   {1, {1, 1, 32, 3, 3, 1, 1, 32}},
                             {1, {4, 5, 32, 3, 3, 4, 3, 32}},   {1, {2, 2, 1024, 3, 3, 1, 1, 32}},
                             {1, {3, 128, 32, 3, 3, 0, 1, 32}}, {9, {4, 4, 32, 3, 3, 1, 1, 40}},
                             {1, {3, 140, 32, 3, 3, 1, 1, 32}}, {1, {4, 4, 33, 3, 3, 1, 1, 32}}};
  while (cases.size() < 40) {
    ConvolutionShape shape = {
        2 + OneTo(random, 9), 2 + OneTo(random, 20), 31 + OneTo(random, 20), 3, 3,
        OneTo(random, 3) - 1, OneTo(random, 3) - 1,  31 + OneTo(random, 30)};
    cases.push_back({OneTo(random, 3), shape});
  }
  return cases;
}

TEST_P(ConvolutionTest, GivesTheSameBitsWithScratchMemory) {
  for (const Case& tested : CasesForScratch(random_)) {
    SCOPED_TRACE(Describe(tested));
    const ConvolutionShape& shape = tested.shape;
    const auto images = Int8(tested.images, shape.ImageElements());
    const auto d = Int8(tested.images * shape.Positions(), shape.units);
    const auto weights = Int8(shape.Depth(), shape.units);
    Tensor<int16_t> scratch(Shape({ConvolutionScratchElements(shape) + 1}));
    std::fill(scratch.elements().begin(), scratch.elements().end(), int16_t{77});

    Guarded<int32_t> z(tested.images * shape.Positions(), shape.units);
    std::vector<int> told(z.view().rows, 0);
    const auto count = [&](size_t first, size_t rows) {
      for (size_t r = first; r < first + rows; ++r) ++told[r];
    };
    Convolve(images.matrix(), shape, Packed(weights), z.view(), count, scratch.elements());
    z.ExpectEquals(reference::Convolve(Widen(images.matrix()), shape, Widen(weights.matrix())));
    EXPECT_EQ(told, std::vector<int>(z.view().rows, 1));

    Guarded<int32_t> e(tested.images, shape.ImageElements());
    ConvolutionError(d.matrix(), shape, Packed(weights), e.view(), scratch.elements());
    e.ExpectEquals(reference::ConvolutionError(Widen(d.matrix()), shape, Widen(weights.matrix())));
    if (HasFailure()) return;
  }
}

TEST_P(ConvolutionTest, HoldsTheLargestSums) {
  // The deepest layer that int32 holds, and its error.
  const ConvolutionShape deep = {1, 1, kInt8DepthMax, 1, 1, 0, 0, 2};
  const auto images = MakeMatrix<int8_t>(random_, 1, kInt8DepthMax, -128, -128, Filling::kLowest);
  const auto weights = MakeMatrix<int8_t>(random_, kInt8DepthMax, 2, -128, -128, Filling::kLowest);
  Guarded<int32_t> z(1, 2);
  Convolve(images.matrix(), deep, Packed(weights), z.view());
  EXPECT_EQ(z.view().Row(0)[1], 128 * 128 * 131071);

  const ConvolutionShape wide = {1, 1, 2, 1, 1, 0, 0, kInt8DepthMax};
  const auto d = MakeMatrix<int8_t>(random_, 1, kInt8DepthMax, -128, -128, Filling::kLowest);
  const auto few = MakeMatrix<int8_t>(random_, 2, kInt8DepthMax, -128, -128, Filling::kLowest);
  Guarded<int32_t> e(1, 2);
  ConvolutionError(d.matrix(), wide, Packed(few), e.view());
  EXPECT_EQ(e.view().Row(0)[1], 128 * 128 * 131071);
}

TEST_P(ConvolutionTest, SumsGradientsOverMorePositionsThanInt32Holds) {
  // 9 images of 16,384 positions: 147,456. The sum of unit 1 is beyond int32.
  const ConvolutionShape shape = {128, 128, 1, 1, 1, 0, 0, 2};
  const auto images = MakeMatrix<int8_t>(random_, 9, 16384, -128, -128, Filling::kLowest);
  const auto d = MakeMatrix<int8_t>(random_, 9 * 16384, 2, -128, -128, Filling::kLowest);
  PanelSums<int64_t> wide(1, 2);
  ConvolutionGradient(images.matrix(), d.matrix(), shape, wide);
  EXPECT_EQ(wide.At(0, 1), int64_t{128} * 128 * 147456);
}

TEST_P(ConvolutionTest, TellsOfEveryRowOnceWhenItIsComplete) {
  // Several blocks of the depth and chunks of panels.
  const ConvolutionShape shape = {5, 6, 300, 3, 3, 1, 1, 270};
  const auto images = Int8(2, shape.ImageElements());
  const auto weights = Int8(shape.Depth(), shape.units);
  const Matrix expected =
      reference::Convolve(Widen(images.matrix()), shape, Widen(weights.matrix()));
  Tensor<int32_t> z(Shape({60, 270}));
  std::vector<int> told(60, 0);
  Convolve(images.matrix(), shape, Packed(weights), z.matrix(), [&](size_t first, size_t rows) {
    for (size_t r = first; r < first + rows; ++r) {
      ++told[r];
      for (size_t j = 0; j < 270; ++j) ASSERT_EQ(z.matrix().Row(r)[j], expected.at(r, j));
    }
  });
  EXPECT_EQ(told, std::vector<int>(60, 1));
}

TEST_P(ConvolutionTest, LeavesFurtherColumnsOfTheResultAlone) {
  const ConvolutionShape shape = {5, 6, 3, 3, 3, 1, 1, 21};
  const auto images = Int8(2, shape.ImageElements());
  const auto weights = Int8(shape.Depth(), shape.units);
  Guarded<int32_t> z(60, 32);
  Matrix expected(60, 32);
  const Matrix product =
      reference::Convolve(Widen(images.matrix()), shape, Widen(weights.matrix()));
  for (size_t r = 0; r < 60; ++r) {
    for (size_t j = 0; j < 32; ++j) {
      expected.at(r, j) = j < 21 ? product.at(r, j) : z.view().Row(r)[j];
    }
  }
  Convolve(images.matrix(), shape, Packed(weights), z.view());
  z.ExpectEquals(expected);
}

INSTANTIATE_TEST_SUITE_P(Levels, ConvolutionTest, test::EveryLevel(), test::NameOfLevel);

TEST(ConvolutionShapeTest, SaysWhatResultsAreMadeOf) {
  const ConvolutionShape shape = {28, 20, 3, 5, 3, 2, 0, 7};
  EXPECT_EQ(shape.OutHeight(), 28u);
  EXPECT_EQ(shape.OutWidth(), 18u);
  EXPECT_EQ(shape.Positions(), 28u * 18u);
  EXPECT_EQ(shape.ImageElements(), 28u * 20u * 3u);
  EXPECT_EQ(shape.Depth(), 45u);
}

TEST(ConvolutionDeathTest, RefusesWhatDoesNotFit) {
  const Tensor<int8_t> images(Shape({1, 12}));
  const PackedMatrix<int8_t> weights(5, 1);
  Tensor<int32_t> z(Shape({1, 1}));
  const ConvolutionShape too_wide = {3, 4, 1, 1, 5, 0, 0, 1};
  EXPECT_DEATH(Convolve(images.matrix(), too_wide, weights, z.matrix()), "check failed");
  const ConvolutionShape other_depth = {3, 4, 1, 1, 4, 0, 0, 1};
  EXPECT_DEATH(Convolve(images.matrix(), other_depth, weights, z.matrix()), "check failed");
}

TEST(ConvolutionDeathTest, RefusesGradientsThatCouldWrap) {
  const ConvolutionShape shape = {256, 512, 1, 1, 1, 0, 0, 1};
  const Tensor<int8_t> images(Shape({1, 131072}));
  const Tensor<int8_t> d(Shape({131072, 1}));
  PanelSums<int32_t> sums(1, 1);
  EXPECT_DEATH(ConvolutionGradient(images.matrix(), d.matrix(), shape, sums), "check failed");
}

}  // namespace
}  // namespace tally::kernels
