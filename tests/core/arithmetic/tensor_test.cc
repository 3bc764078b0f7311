// Goal: tensors own zeroed, aligned elements; shapes count them.
// Method: small arrays, copies and moves.

#include "core/tensor/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <utility>

namespace tally {
namespace {

TEST(ShapeTest, CountsElements) {
  EXPECT_EQ(Shape().elements(), 1u);
  EXPECT_EQ(Shape({3, 4, 5}).elements(), 60u);
  EXPECT_EQ(Shape({3, 0}).elements(), 0u);
  EXPECT_EQ(Shape({3, 4}).extents().size(), 2u);
  EXPECT_EQ(Shape({3, 4}), Shape({3, 4}));
  EXPECT_FALSE(Shape({3, 4}) == Shape({4, 3}));
}

TEST(ShapeDeathTest, RefusesMoreElementsThanMemoryHasAddresses) {
  EXPECT_DEATH(Shape({uint64_t{1} << 40, uint64_t{1} << 40}), "check failed");
}

TEST(TensorTest, StartsZeroedAndAligned) {
  Tensor<int16_t> tensor(Shape({7, 3}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % kTensorAlignment, 0u);
  for (const int16_t value : tensor.elements()) EXPECT_EQ(value, 0);
  EXPECT_EQ(tensor.bytes().size(), 42u);
}

TEST(TensorTest, CopiesElementsAndMovesOwnership) {
  Tensor<int32_t> original(Shape({2, 2}));
  original[3] = 9;
  Tensor<int32_t> copy = original;
  copy[3] = 10;
  EXPECT_EQ(original[3], 9);
  const int32_t* elements = original.data();
  Tensor<int32_t> moved = std::move(original);
  EXPECT_EQ(moved.data(), elements);
  EXPECT_EQ(moved.matrix().Row(1)[1], 9);
  copy = moved;
  EXPECT_EQ(copy[3], 9);
  EXPECT_TRUE(Tensor<int32_t>().empty());
}

}  // namespace
}  // namespace tally
