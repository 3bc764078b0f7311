// Goal: a PocketNN restored from a checkpoint goes on exactly as if nothing had happened, and a
// checkpoint whose values are out of range is refused.
// Method: one learner trains through; a second is saved and restored after every mini-batch;
// digests are compared throughout, over rates that rise and fall, with every rounding and with
// calibration.

#include <gtest/gtest.h>

#include <memory>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/safetensors.h"

namespace tally {
namespace {

constexpr size_t kInputs = 6;

ModelSpec SmallSpec(CreditAssignment training, UpdateRounding rounding) {
  ModelSpec spec;
  spec.name = "small";
  spec.algorithm = "pocketnn";
  spec.input.shape = {kInputs};
  spec.layers = {{5, Activation::kPocketTanh}, {3, Activation::kPocketTanh}};
  spec.classes = 3;
  spec.batch_size = 4;
  spec.learning_rate = {{0, 100}, {10, 7}, {20, 1000}, {25, 3}};
  spec.schedule_steps = 30;
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.calibration_samples = 8;
  spec.pocketnn.training = training;
  spec.pocketnn.update_rounding = rounding;
  return spec;
}

absl::StatusOr<std::unique_ptr<Learner>> Make(const ModelSpec& spec) { return MakeLearner(spec); }

// `rows` rows and labels that depend on `step` alone.
struct Batch {
  Batch(uint32_t step, size_t rows) {
    uint32_t state = step * 2654435761u + 12345;
    for (size_t r = 0; r < rows; ++r) {
      labels.push_back((state >> 13) % 3);
      for (size_t i = 0; i < kInputs; ++i) {
        state = state * 1664525u + 1013904223u;
        bytes.push_back(static_cast<std::byte>((state >> 24) / (labels.back() + 1)));
      }
    }
  }
  RowBatch rows() const { return {bytes, labels.size()}; }
  std::vector<std::byte> bytes;
  std::vector<uint32_t> labels;
};

std::unique_ptr<Learner> Restored(const std::string& bytes) {
  auto checkpoint = DecodeCheckpoint(bytes, Make);
  EXPECT_TRUE(checkpoint.ok()) << checkpoint.status();
  return checkpoint.ok() ? std::move(checkpoint->learner) : nullptr;
}

TEST(PocketNnCheckpointTest, ARestoredLearnerGoesOnAsIfNothingHadHappened) {
  for (const auto training :
       {CreditAssignment::kDirectFeedback, CreditAssignment::kBackPropagation}) {
    for (const auto rounding : {UpdateRounding::kTowardZero, UpdateRounding::kErrorFeedback,
                                UpdateRounding::kStochastic}) {
      auto through = *Make(SmallSpec(training, rounding));
      auto interrupted = Restored(EncodeCheckpoint(*through, {}));
      ASSERT_NE(interrupted, nullptr) << "before calibration";
      ASSERT_EQ(interrupted->calibration_samples_wanted(), 8u);
      const Batch first(999, 8);
      through->Calibrate(first.rows());
      interrupted->Calibrate(first.rows());
      for (uint32_t step = 0; step < 30; ++step) {
        interrupted = Restored(EncodeCheckpoint(*interrupted, {{"position", "1"}}));
        ASSERT_NE(interrupted, nullptr);
        ASSERT_EQ(interrupted->step(), step);
        ASSERT_EQ(interrupted->calibration_samples_wanted(), 0u);
        const Batch batch(step, 1 + step % 4);
        through->TrainStep(batch.rows(), batch.labels);
        interrupted->TrainStep(batch.rows(), batch.labels);
        ASSERT_EQ(EncodeCheckpoint(*through, {}), EncodeCheckpoint(*interrupted, {})) << step;
      }
    }
  }
}

TEST(PocketNnCheckpointTest, ARestoredPredictorGivesTheSameScores) {
  auto learner =
      *Make(SmallSpec(CreditAssignment::kDirectFeedback, UpdateRounding::kErrorFeedback));
  learner->Calibrate(Batch(999, 8).rows());
  for (uint32_t step = 0; step < 30; ++step) {
    const Batch batch(step, 4);
    learner->TrainStep(batch.rows(), batch.labels);
  }
  const auto restored = Restored(EncodeCheckpoint(*learner, {}));
  ASSERT_NE(restored, nullptr);
  const Batch batch(77, 4);
  std::vector<int32_t> wanted(12);
  std::vector<int32_t> scores(12);
  learner->MakePredictor()->Predict(batch.rows(), wanted);
  restored->MakePredictor()->Predict(batch.rows(), scores);
  EXPECT_EQ(scores, wanted);
  EXPECT_NE(scores, std::vector<int32_t>(12, 0));
}

// Both digests are right, as a program that writes nonsense would make them: the range check stands
// alone.
TEST(PocketNnCheckpointTest, WeightsBeyondTheLimitAreRefused) {
  ModelSpec spec = SmallSpec(CreditAssignment::kDirectFeedback, UpdateRounding::kTowardZero);
  spec.pocketnn.weight_limit = 1000;
  auto learner = *Make(spec);
  const std::string bytes = EncodeCheckpoint(*learner, {});
  auto file = *safetensors::Read(bytes);
  const std::string beyond = "\xe9\x03";  // 1001
  bool found = false;
  for (auto& tensor : file.tensors) {
    if (tensor.name != "layer2.weight") continue;
    found = true;
    const std::string changed = beyond + std::string(tensor.bytes.substr(2));
    tensor.bytes = changed;
    file.metadata["file_digest"] = std::string(64, '0');
    std::string forged = safetensors::Write(file.metadata, file.tensors);
    forged.replace(40, 64, Sha256Hex(forged));
    const auto status = DecodeCheckpoint(forged, Make).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(status.message().find("layer2.weight"), std::string::npos) << status;
    EXPECT_NE(status.message().find("1001"), std::string::npos) << status;
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace tally
