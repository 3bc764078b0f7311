// Goal: the drawn digits are worth learning: out of reach of a linear model, within reach of a
// small network. Method: 20,000 images for training, 5,000 for the test; a logistic regression in
// floating point and a PocketNN of one layer on the one side, pocketnn/mnist-mlp on the other.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "client/datasets/synthetic_digits.h"
#include "client/training/fit.h"
#include "core/algorithms/algorithms.h"

namespace tally {
namespace {

constexpr size_t kPixels = 784;
constexpr size_t kClasses = 10;

const Dataset& TrainDigits() {
  static const Dataset dataset = DrawDigits(1, 0, 20000);
  return dataset;
}
const Dataset& TestDigits() {
  static const Dataset dataset = DrawDigits(1, 1, 5000);
  return dataset;
}

// The share of test images that `spec` gets right after `epochs`, in permille.
uint32_t PermilleAfter(const ModelSpec& spec, uint32_t epochs) {
  auto learner = MakeLearner(spec);
  EXPECT_TRUE(learner.ok()) << learner.status();
  FitObserver nobody;
  const auto report =
      Fit(**learner, {TrainDigits(), &TestDigits()}, {.epochs = epochs, .shuffle_seed = 1}, nobody);
  EXPECT_TRUE(report.ok()) << report.status();
  return report->epochs.back().test_correct * 1000 / TestDigits().count();
}

class LogisticRegression {
 public:
  void TrainEpoch(const Dataset& data, float rate) {
    for (uint32_t i = 0; i < data.count(); ++i) {
      Load(data, i);
      std::array<float, kClasses> p = Scores();
      const float top = *std::max_element(p.begin(), p.end());
      float sum = 0;
      for (float& value : p) sum += value = std::exp(value - top);
      for (size_t c = 0; c < kClasses; ++c) {
        const float gradient = rate * (p[c] / sum - (c == data.labels[i] ? 1.0f : 0.0f));
        for (size_t j = 0; j < kPixels; ++j) weights_[c][j] -= gradient * row_[j];
        biases_[c] -= gradient;
      }
    }
  }

  uint32_t Permille(const Dataset& data) {
    uint32_t correct = 0;
    for (uint32_t i = 0; i < data.count(); ++i) {
      Load(data, i);
      const auto scores = Scores();
      const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
      correct += static_cast<uint32_t>(best) == data.labels[i] ? 1 : 0;
    }
    return correct * 1000 / data.count();
  }

 private:
  void Load(const Dataset& data, uint32_t index) {
    const auto row = data.row(index);
    for (size_t j = 0; j < kPixels; ++j)
      row_[j] = static_cast<float>(std::to_integer<int>(row[j])) / 255.0f;
  }

  std::array<float, kClasses> Scores() const {
    std::array<float, kClasses> scores = biases_;
    for (size_t c = 0; c < kClasses; ++c) {
      for (size_t j = 0; j < kPixels; ++j) scores[c] += weights_[c][j] * row_[j];
    }
    return scores;
  }

  std::array<std::array<float, kPixels>, kClasses> weights_ = {};
  std::array<float, kClasses> biases_ = {};
  std::array<float, kPixels> row_ = {};
};

TEST(SyntheticDigitsDifficultyTest, ALogisticRegressionStaysBelow90Percent) {
  LogisticRegression model;
  for (const float rate : {0.05f, 0.02f, 0.01f, 0.005f, 0.002f}) {
    model.TrainEpoch(TrainDigits(), rate);
    model.TrainEpoch(TrainDigits(), rate);
  }
  const uint32_t permille = model.Permille(TestDigits());
  EXPECT_LT(permille, 900u);
  EXPECT_GT(permille, 700u) << "the regression itself does not learn";
}

TEST(SyntheticDigitsDifficultyTest, APocketNnOfOneLayerStaysBelow90Percent) {
  ModelSpec spec = *ZooSpec("pocketnn/mnist-mlp");
  spec.layers = {spec.layers.back()};
  const uint32_t permille = PermilleAfter(spec, 4);
  EXPECT_LT(permille, 900u);
  EXPECT_GT(permille, 500u) << "the layer itself does not learn";
}

TEST(SyntheticDigitsDifficultyTest, ASmallPocketNnPasses95Percent) {
  EXPECT_GT(PermilleAfter(*ZooSpec("pocketnn/mnist-mlp"), 6), 950u);
}

}  // namespace
}  // namespace tally
