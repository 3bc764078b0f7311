// Goal: running accuracy is exact, slides over 1,000 samples and survives a checkpoint.
// Method: hand-counted sequences, a comparison with a plain list of outcomes, and damaged
// annotations.

#include "daemon/hosting/prequential_counter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace tally::hosting {
namespace {

TEST(PrequentialCounterTest, BeginsEmpty) {
  const Prequential value = PrequentialCounter().value();
  EXPECT_EQ(value.seen, 0u);
  EXPECT_EQ(value.recent_seen, 0u);
  EXPECT_EQ(value.recent_permille, 0u);
}

TEST(PrequentialCounterTest, AgreesWithAPlainListAtEverySample) {
  PrequentialCounter counter;
  std::vector<int> outcomes;
  for (uint32_t i = 0; i < 3500; ++i) {
    const bool correct = (i * i / 7 + i / 900) % 3 != 0;
    counter.Add(correct);
    outcomes.push_back(correct ? 1 : 0);
    const size_t recent = std::min<size_t>(outcomes.size(), 1000);
    const int right =
        std::accumulate(outcomes.end() - static_cast<ptrdiff_t>(recent), outcomes.end(), 0);
    const Prequential value = counter.value();
    ASSERT_EQ(value.seen, outcomes.size());
    ASSERT_EQ(value.correct,
              static_cast<uint64_t>(std::accumulate(outcomes.begin(), outcomes.end(), 0)));
    ASSERT_EQ(value.recent_seen, recent);
    ASSERT_EQ(value.recent_permille, static_cast<uint32_t>(right) * 1000 / recent);
  }
}

TEST(PrequentialCounterTest, ContinuesAfterACheckpointAsIfThereHadBeenNone) {
  for (const uint32_t before : {0u, 1u, 999u, 1000u, 1001u, 2345u}) {
    PrequentialCounter uninterrupted;
    for (uint32_t i = 0; i < before; ++i) uninterrupted.Add(i % 3 == 0);
    Annotations annotations;
    uninterrupted.Store(annotations);
    auto restored = PrequentialCounter::Restore(annotations);
    ASSERT_TRUE(restored.ok()) << restored.status();
    for (uint32_t i = 0; i < 1500; ++i) {
      uninterrupted.Add(i % 5 == 0);
      restored->Add(i % 5 == 0);
      ASSERT_EQ(restored->value().recent_permille, uninterrupted.value().recent_permille);
    }
    EXPECT_EQ(restored->value().correct, uninterrupted.value().correct);
  }
}

TEST(PrequentialCounterTest, RefusesAnnotationsThatContradictEachOther) {
  PrequentialCounter counter;
  for (int i = 0; i < 5; ++i) counter.Add(i % 2 == 0);
  Annotations good;
  counter.Store(good);
  const auto damaged = [&](const std::string& key, const std::string& value) {
    Annotations bad = good;
    bad[key] = value;
    return PrequentialCounter::Restore(bad).status();
  };
  for (const absl::Status& status :
       {damaged("prequential_seen", "6"), damaged("prequential_seen", "05"),
        damaged("prequential_seen", "-5"), damaged("prequential_seen", ""),
        damaged("prequential_correct", "6"), damaged("prequential_correct", "2"),
        damaged("prequential_recent", "10102"), damaged("prequential_recent", "1010")}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  }
  good.erase("prequential_recent");
  EXPECT_THAT(std::string(PrequentialCounter::Restore(good).status().message()),
              ::testing::HasSubstr("prequential_recent"));
}

}  // namespace
}  // namespace tally::hosting
