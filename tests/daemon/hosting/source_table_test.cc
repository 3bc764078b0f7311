// Goal: retries are recognised, gaps are refused, nothing is called durable too early.
// Method: hand-made sequences of calls.

#include "daemon/hosting/source_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tally::hosting {
namespace {

TEST(SourceTableTest, CountsRowsKeptBefore) {
  SourceTable table;
  EXPECT_EQ(*table.CountKept("door", 1, 5, 10), 0u);
  table.Accept("door", 5);
  EXPECT_EQ(*table.CountKept("door", 6, 5, 10), 0u);
  EXPECT_EQ(*table.CountKept("door", 4, 5, 10), 2u);
  EXPECT_EQ(*table.CountKept("door", 1, 5, 10), 5u);
  EXPECT_EQ(*table.CountKept("door", 1, 2, 10), 2u);
}

TEST(SourceTableTest, AnswersAGapWithTheExpectedSequence) {
  SourceTable table;
  table.Accept("door", 5);
  const absl::Status status = table.CountKept("door", 7, 1, 10).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("expected sequence 6, got 7"));
  EXPECT_EQ(table.CountKept("yard", 2, 1, 10).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(SourceTableTest, RefusesOneSourceTooManyButServesTheOthers) {
  SourceTable table;
  table.Accept("a", 1);
  table.Accept("b", 1);
  const absl::Status status = table.CountKept("c", 1, 1, 2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("limits.sources is 2"));
  EXPECT_TRUE(table.CountKept("a", 2, 1, 2).ok());
}

TEST(SourceTableTest, MakesDurableOnlyWhatWasAcceptedBeforeTheSyncBegan) {
  SourceTable table;
  table.Accept("a", 3);
  const auto begun = table.BeginSync();
  table.Accept("a", 8);
  table.Accept("b", 2);
  table.EndSync(begun);
  EXPECT_EQ(table.Progress("a").durable_through, 3u);
  EXPECT_EQ(table.Progress("a").accepted_through, 8u);
  EXPECT_EQ(table.Progress("b").durable_through, 0u);
  table.EndSync(table.BeginSync());
  EXPECT_EQ(table.Progress("a").durable_through, 8u);
  EXPECT_EQ(table.Progress("b").durable_through, 2u);
  EXPECT_TRUE(table.BeginSync().empty());
}

TEST(SourceTableTest, KnowsNothingOfAnUnknownSource) {
  EXPECT_EQ(SourceTable().Progress("nobody").accepted_through, 0u);
}

TEST(SequencesTest, SurviveTheirText) {
  const SequenceMap sequences = {{"a", 1}, {"cam-1.left_x", 18446744073709551615u}, {"z9", 0}};
  const auto decoded = DecodeSequences(EncodeSequences(sequences));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, sequences);
  EXPECT_EQ(EncodeSequences({}), "");
  EXPECT_TRUE(DecodeSequences("")->empty());
}

TEST(SequencesTest, RefuseWhatWeWouldNotWrite) {
  for (const char* text :
       {"a", "a=", "=1", "a=1  b=2", "a=01", "a=1 a=2", "a=1x", "a=18446744073709551616"}) {
    EXPECT_EQ(DecodeSequences(text).status().code(), absl::StatusCode::kDataLoss) << text;
  }
}

}  // namespace
}  // namespace tally::hosting
