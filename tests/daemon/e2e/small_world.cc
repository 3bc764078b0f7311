#include "tests/daemon/e2e/small_world.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "client/datasets/idx_writer.h"
#include "client/training/fit.h"
#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"

namespace tally::e2e {

namespace {

// By direct feedback.
void MakePocketNn(ModelSpec& spec) {
  spec.layers = {{.units = 9}, {.units = 4}};
  spec.learning_rate = {{.from_step = 0, .inverse = 1000}, {.from_step = 40, .inverse = 2000}};
}

void MakeNiti(ModelSpec& spec) {
  spec.preprocessing.kind = PreprocessingKind::kConstants;
  spec.preprocessing.mean = {95};
  spec.preprocessing.deviation = {45};
  spec.layers = {
      {.units = 5, .activation = Activation::kRelu, .kind = LayerKind::kConv2d, .kernel = {2, 2}},
      {.units = 4, .activation = Activation::kAsIs}};
  spec.learning_rate = {{.from_step = 0, .mu = 2}, {.from_step = 40, .mu = 0}};
}

}  // namespace

ModelSpec SmallSpec(const std::string& algorithm) {
  ModelSpec spec;
  spec.name = "small";
  spec.algorithm = algorithm;
  spec.input.shape = {3, 4};
  spec.classes = 4;
  spec.labels = {"north", "east", "south", "west"};
  spec.batch_size = 7;
  spec.schedule_steps = 100;
  spec.seed = 5;
  if (algorithm == kPocketNnName) {
    MakePocketNn(spec);
  } else {
    EXPECT_EQ(algorithm, kNitiName) << "has no small spec";
    MakeNiti(spec);
  }
  return spec;
}

ModelSpec CalibratedSpec(const std::string& algorithm, uint32_t samples) {
  ModelSpec spec = SmallSpec(algorithm);
  spec.preprocessing = {};
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.scope = PreprocessingScope::kElement;
  spec.preprocessing.calibration_samples = samples;
  return spec;
}

ModelSpec OtherSpec(const std::string& algorithm) {
  ModelSpec spec = SmallSpec(algorithm);
  if (algorithm == kPocketNnName) {
    spec.pocketnn.training = CreditAssignment::kBackPropagation;
    spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback;
  } else {
    spec.layers.insert(spec.layers.end() - 1, {.kind = LayerKind::kDropout, .drop_permille = 200});
    for (RatePoint& point : spec.learning_rate) *point.mu += 4;
    spec.niti.weight_bits = 16;
    spec.niti.loss_rounding = LossRounding::kStochastic;
    spec.niti.range_memory = 16;
    spec.augmentation = {.crop_padding = 1, .horizontal_flip = true};
  }
  return spec;
}

Dataset SmallData(uint32_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Dataset dataset;
  dataset.shape = {3, 4};
  dataset.type = ElementType::kUint8;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t label = random() % 4;
    dataset.labels.push_back(label);
    for (uint32_t element = 0; element < 12; ++element) {
      const uint32_t signal = element % 4 == label ? 120 : 30;
      dataset.rows.push_back(static_cast<std::byte>(signal + random() % 80));
    }
  }
  return dataset;
}

std::string RowBytes(const Dataset& dataset, size_t begin, size_t end) {
  const auto* bytes = reinterpret_cast<const char*>(dataset.rows.data());
  return std::string(bytes + begin * dataset.row_bytes(), bytes + end * dataset.row_bytes());
}

std::string ExpectedDigest(const ModelSpec& spec, const Dataset& dataset,
                           const TrainingPlan& plan) {
  auto learner = MakeLearner(spec);
  EXPECT_TRUE(learner.ok()) << learner.status();
  FitObserver observer;
  const auto report = Fit(**learner, {dataset, nullptr}, plan, observer);
  EXPECT_TRUE(report.ok()) << report.status();
  return StateDigest(**learner);
}

void WriteDataset(const Dataset& train, const Dataset& test, const std::string& directory) {
  std::filesystem::create_directories(directory);
  const std::string prefix = directory + "/";
  EXPECT_TRUE(
      WriteIdx(train, prefix + "train-images-idx3-ubyte", prefix + "train-labels-idx1-ubyte").ok());
  EXPECT_TRUE(
      WriteIdx(test, prefix + "t10k-images-idx3-ubyte", prefix + "t10k-labels-idx1-ubyte").ok());
}

}  // namespace tally::e2e
