// Goal: samples reach a model whose channels come last in its layout, and no others are touched.
// Method: shapes by hand; rearranged rows compared element by element with their definition.

#include "client/datasets/channels_last.h"

#include <gtest/gtest.h>

namespace tally {
namespace {

using Shape = std::vector<uint32_t>;

TEST(ChannelsLastTest, OnlyShapesThatDifferByTheFirstDimensionAreMoved) {
  EXPECT_TRUE(WantsChannelsLast({3, 32, 32}, {32, 32, 3}));
  EXPECT_TRUE(WantsChannelsLast({9, 128}, {128, 1, 9}));
  EXPECT_TRUE(WantsChannelsLast({9, 128}, {1, 128, 9}));
  EXPECT_TRUE(WantsChannelsLast({9, 128}, {128, 9}));
  EXPECT_TRUE(WantsChannelsLast({1, 2, 5, 7}, {5, 7, 2}));
  EXPECT_FALSE(WantsChannelsLast({28, 28}, {28, 28, 1}));
  EXPECT_FALSE(WantsChannelsLast({1, 28, 28}, {28, 28, 1}));
  EXPECT_FALSE(WantsChannelsLast({28, 28}, {784}));
  EXPECT_FALSE(WantsChannelsLast({784}, {28, 28}));
  EXPECT_FALSE(WantsChannelsLast({9, 128}, {9, 128}));
  EXPECT_FALSE(WantsChannelsLast({3, 32, 32}, {3, 32, 32}));
  EXPECT_FALSE(WantsChannelsLast({3, 32, 32}, {32, 3, 32}));
  EXPECT_FALSE(WantsChannelsLast({3, 3, 3}, {3, 3, 3}));
}

TEST(ChannelsLastTest, EveryElementFindsItsPlace) {
  for (const ElementType type : {ElementType::kUint8, ElementType::kInt16}) {
    const size_t bytes = ElementBytes(type);
    Dataset dataset{.shape = {3, 4, 5}, .type = type, .rows = {}, .labels = {0, 1}};
    for (size_t i = 0; i < 2 * 60 * bytes; ++i) {
      dataset.rows.push_back(static_cast<std::byte>(i));
    }
    const Dataset before = dataset;
    MoveChannelsLast(dataset);
    EXPECT_EQ(dataset.shape, (Shape{4, 5, 3}));
    EXPECT_EQ(dataset.labels, before.labels);
    ASSERT_EQ(dataset.rows.size(), before.rows.size());
    for (uint32_t n = 0; n < 2; ++n) {
      for (size_t c = 0; c < 3; ++c) {
        for (size_t place = 0; place < 20; ++place) {
          for (size_t b = 0; b < bytes; ++b) {
            EXPECT_EQ(dataset.row(n)[(place * 3 + c) * bytes + b],
                      before.row(n)[(c * 20 + place) * bytes + b]);
          }
        }
      }
    }
  }
}

TEST(SplitOffLastTest, TakesTheLastSamplesAndLeavesTheOthers) {
  Dataset dataset{.shape = {2}, .rows = {}, .labels = {4, 5, 6}};
  for (int i = 0; i < 6; ++i) dataset.rows.push_back(static_cast<std::byte>(i));
  const auto last = SplitOffLast(dataset, 1);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_EQ(last->labels, (Shape{6}));
  EXPECT_EQ(last->shape, (Shape{2}));
  EXPECT_EQ(last->rows, (std::vector<std::byte>{std::byte{4}, std::byte{5}}));
  EXPECT_EQ(dataset.labels, (Shape{4, 5}));
  EXPECT_EQ(dataset.rows.size(), 4u);
  for (const uint32_t count : {0u, 2u, 3u}) {
    EXPECT_EQ(SplitOffLast(dataset, count).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(dataset.count(), 2u);
  }
}

}  // namespace
}  // namespace tally
