// Goal: mini-batches depend on the order of samples alone, and positions say exactly what is in the
// state. Method: the same samples cut into packets in many ways, against a plain trainer;
// hand-counted positions.

#include "daemon/hosting/training_lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "core/algorithms/algorithms.h"
#include "tests/support/tiny_model_test.h"

namespace tally::hosting {
namespace {

using testing::PlainTrainer;
using testing::TinyPacket;

std::unique_ptr<Learner> FreshLearner(const ModelSpec& spec) {
  auto learner = MakeLearner(spec);
  EXPECT_TRUE(learner.ok()) << learner.status();
  return *std::move(learner);
}

// Hands records to a lane at the positions that follow.
class Feeder {
 public:
  explicit Feeder(const ModelSpec& spec) : lane(FreshLearner(spec), {}) {}

  void Take(storage::RecordBody body) {
    const uint64_t position = lane.taken_position() + 1;
    const absl::Status taken = lane.Take({position, std::move(body)});
    ASSERT_TRUE(taken.ok()) << taken;
    while (lane.StepReady()) lane.Step();
  }

  TrainingLane lane;
};

class TrainingLaneTest : public testing::TinyModelTest {};

TEST_P(TrainingLaneTest, TrainsTheSameModelHoweverTheSamplesAreCutIntoPackets) {
  constexpr uint64_t kSamples = 103;
  PlainTrainer plain(Tiny("m"));
  plain.Add(TinyPacket("a", 1, kSamples));
  plain.Flush();
  std::mt19937 random(1);
  for (int cut = 0; cut < 50; ++cut) {
    Feeder feeder(Tiny("m"));
    for (uint64_t next = 1; next <= kSamples;) {
      const auto count =
          static_cast<uint32_t>(std::min<uint64_t>(kSamples + 1 - next, 1 + random() % 11));
      feeder.Take(TinyPacket("a", next, count));
      next += count;
    }
    feeder.Take(storage::FlushRecord{});
    ASSERT_EQ(StateDigest(feeder.lane.learner()), plain.Digest());
    ASSERT_EQ(feeder.lane.prequential().correct, plain.correct());
    ASSERT_EQ(feeder.lane.prequential().seen, kSamples);
  }
}

TEST_P(TrainingLaneTest, HoldsBackTheOpenMiniBatchInItsTrainedPosition) {
  Feeder feeder(Tiny("m", /*batch_size=*/4));
  feeder.Take(TinyPacket("a", 1, 6));  // positions 1-6, trained 1-4
  EXPECT_EQ(feeder.lane.trained_position(), 4u);
  EXPECT_EQ(feeder.lane.trained_sources().at("a"), 4u);
  feeder.Take(storage::DigestRecord{1, std::string(64, 'a')});  // position 7, behind open samples
  EXPECT_EQ(feeder.lane.trained_position(), 4u);
  feeder.Take(TinyPacket("b", 1, 1));  // position 8
  EXPECT_EQ(feeder.lane.trained_position(), 4u);
  feeder.Take(TinyPacket("b", 2, 1));  // position 9 completes the mini-batch 5, 6, 8, 9
  EXPECT_EQ(feeder.lane.trained_position(), 9u);
  EXPECT_EQ(feeder.lane.trained_sources().at("b"), 2u);
  feeder.Take(storage::FlushRecord{});  // nothing open: no step
  EXPECT_EQ(feeder.lane.trained_position(), 10u);
  EXPECT_EQ(feeder.lane.learner().step(), 2u);
}

TEST_P(TrainingLaneTest, ContinuesFromTheMiddleOfARecord) {
  const ModelSpec spec = Tiny("m", /*batch_size=*/4);
  Feeder whole(spec);
  whole.Take(TinyPacket("a", 1, 10));
  const LaneStart here = whole.lane.Here();
  ASSERT_EQ(here.position, 8u);
  auto checkpoint = DecodeCheckpoint(EncodeCheckpoint(whole.lane.learner(), EncodeStart(here)),
                                     [](const ModelSpec& stored) { return MakeLearner(stored); });
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status();
  auto start = DecodeStart(checkpoint->annotations);
  ASSERT_TRUE(start.ok()) << start.status();
  TrainingLane resumed(std::move(checkpoint->learner), *std::move(start));
  ASSERT_TRUE(resumed.Take({1, TinyPacket("a", 1, 10)}).ok());
  ASSERT_TRUE(resumed.Take({11, TinyPacket("a", 11, 2)}).ok());
  ASSERT_TRUE(resumed.StepReady());
  resumed.Step();
  whole.Take(TinyPacket("a", 11, 2));
  EXPECT_EQ(StateDigest(resumed.learner()), StateDigest(whole.lane.learner()));
  EXPECT_EQ(resumed.Here().chain_head, whole.lane.Here().chain_head);
  EXPECT_EQ(resumed.prequential().seen, 12u);
}

TEST_P(TrainingLaneTest, CarriesAnAuditChainThatDependsOnSamplesAndNotOnPackets) {
  const ModelSpec spec = Tiny("m", /*batch_size=*/4);
  Feeder one(spec);
  one.Take(TinyPacket("a", 1, 8));
  Feeder many(spec);
  for (uint64_t i = 1; i <= 8; ++i) many.Take(TinyPacket("a", i, 1));
  EXPECT_EQ(one.lane.Here().chain_head, many.lane.Here().chain_head);
  Feeder other(spec);
  other.Take(TinyPacket("b", 1, 8));
  EXPECT_NE(one.lane.Here().chain_head, other.lane.Here().chain_head);
  // Rows that a rollback drops are in the journal, so they are in the chain.
  Feeder dropped(spec);
  dropped.Take(TinyPacket("a", 1, 8));
  dropped.Take(TinyPacket("a", 9, 2));
  dropped.lane.Rollback(FreshLearner(spec), {11, storage::RollbackRecord{0, std::string(64, '0')}});
  Feeder undropped(spec);
  undropped.Take(TinyPacket("a", 1, 8));
  undropped.lane.Rollback(FreshLearner(spec),
                          {9, storage::RollbackRecord{0, std::string(64, '0')}});
  EXPECT_NE(dropped.lane.Here().chain_head, undropped.lane.Here().chain_head);
}

TEST_P(TrainingLaneTest, RefusesRecordsThatDoNotFollow) {
  Feeder feeder(Tiny("m"));
  feeder.Take(TinyPacket("a", 1, 3));
  const auto refusal = [&](uint64_t position, storage::RecordBody body) {
    return feeder.lane.Take({position, std::move(body)});
  };
  storage::SamplesRecord label = TinyPacket("a", 4, 1);
  label.labels[0] = 3;
  storage::SamplesRecord rows = TinyPacket("a", 4, 1);
  rows.rows += "x";
  for (const absl::Status& status :
       {refusal(5, TinyPacket("a", 4, 1)), refusal(3, TinyPacket("a", 3, 1)),
        refusal(4, TinyPacket("a", 5, 1)), refusal(4, TinyPacket("b", 2, 1)), refusal(4, label),
        refusal(4, rows)}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  }
  EXPECT_EQ(feeder.lane.taken_position(), 3u);
}

TEST_P(TrainingLaneTest, RefusesAFlushBeforeCalibration) {
  Feeder feeder(Tiny("m", 4, /*calibration_samples=*/6));
  feeder.Take(TinyPacket("a", 1, 5));
  EXPECT_EQ(feeder.lane.Take({6, storage::FlushRecord{}}).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(feeder.lane.learner().step(), 0u);
  EXPECT_EQ(feeder.lane.trained_position(), 0u);
}

TEST_P(TrainingLaneTest, TrainsCalibrationSamplesFromTheFirstOn) {
  const ModelSpec spec = Tiny("m", 4, /*calibration_samples=*/10);
  PlainTrainer plain(spec);
  plain.Add(TinyPacket("a", 1, 13));
  Feeder feeder(spec);
  feeder.Take(TinyPacket("a", 1, 7));
  EXPECT_TRUE(feeder.lane.calibrating());
  feeder.Take(TinyPacket("a", 8, 6));
  EXPECT_FALSE(feeder.lane.calibrating());
  EXPECT_EQ(feeder.lane.learner().step(), 3u);
  EXPECT_EQ(StateDigest(feeder.lane.learner()), plain.Digest());
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, TrainingLaneTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
