// Goal: the reference profile is the published PocketNN program, bit for bit.
// Method: the published run on MNIST, compared with the state after 1, 2, 10, 100 and 3000
// mini-batches and the results after each of its three epochs, as an independent implementation
// gives them.

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/algorithms/pocketnn/reference_run.h"
#include "tests/core/pocketnn/mnist.h"

namespace tally {
namespace {

struct Layer {
  std::vector<int32_t> weight;
  int64_t bias_sum = 0;
  int64_t feedback_sum = 0;
};

class StateReader : public StateVisitor {
 public:
  void Visit(const StateEntry& entry) override {
    if (entry.type != StateType::kInt16) return;
    std::vector<int32_t> values;
    for (size_t i = 0; i < entry.bytes.size(); i += 2) {
      const int low = std::to_integer<int>(entry.bytes[i]);
      const int high = std::to_integer<int>(entry.bytes[i + 1]);
      values.push_back(static_cast<int16_t>(low | (high << 8)));
    }
    int64_t sum = 0;
    for (const int32_t value : values) sum += value;
    const std::string name(entry.name);
    Layer& layer = layers[static_cast<size_t>(name[5] - '0')];
    if (name.ends_with(".weight")) layer.weight = values;
    if (name.ends_with(".bias")) layer.bias_sum = sum;
    if (name.ends_with(".feedback")) layer.feedback_sum = sum;
  }
  std::map<size_t, Layer> layers;
};

struct Golden {
  int steps;
  size_t layer;
  int64_t weight_sum, weight_magnitude_sum;
  int32_t weight_magnitude_max;
  int64_t bias_sum, feedback_sum;
  const char* sha256;
};

constexpr Golden kGolden[] = {
    {1, 1, 391902, 4553376, 902, 14, 383,
     "88f0817fb926619087318d8bacfab4a7cd96488b7e3985ef6335ff5000ff89a5"},
    {1, 2, 0, 0, 0, 26, 440, "28b4f41a7f3ee6d8cc87272db6e09c6d3566551fd4d18702b041a21658272a85"},
    {1, 3, 0, 0, 0, 0, 0, "2da42fb1d7bd8524e83d5a1e332bad697c8769ba430770a19bec630eb8ffcaa8"},
    {2, 1, 906376, 6469198, 1327, 22, 383,
     "674e811ec616c4cce17420d7c4306b9bc3b0b69cf6e6b90e163ad955b92a4b0f"},
    {2, 2, -5910, 383578, 477, 17, 440,
     "a4963ba7a731dd5e44596ae177a18edcd5ca9b80f6fcbd861cb1a7946aaedeaf"},
    {2, 3, 0, 0, 0, 0, 0, "2da42fb1d7bd8524e83d5a1e332bad697c8769ba430770a19bec630eb8ffcaa8"},
    {10, 1, 934076, 15719734, 2863, 27, 383,
     "e01fe56ff8a52367970a2c6a8b7278ab1e8fb39591622c7e2ea911306a524ff6"},
    {10, 2, -8051, 1632013, 1334, 40, 440,
     "081cc3b3c00a461f2bb52a5c70dcee8518d015a717335bbd89daf6ccfda31b3a"},
    {10, 3, 82, 1688, 9, 0, 0, "89bfde279c9347c30c99eb93d35b89c365c92d424883237415251380b1d30b10"},
    {100, 1, 1526131, 41169357, 7562, -55, 383,
     "8c6d385edb1add85dba6f605dcac22666e08a333b7fc705c0159d44f5c48cd69"},
    {100, 2, -269891, 4757825, 4548, 89, 440,
     "8f640efb806bf47cf2e6832b2c8c277cf4b86bdfe2d5810980d33571dd3b06cd"},
    {100, 3, 305, 8359, 50, 0, 0,
     "cbfe6072e5fd39b7ad639f31aee1caffd4fd285e929c1bba51a2a7dbc10f2fc9"},
    {3000, 1, 4871714, 76871564, 13290, -89, 383,
     "bef03a2f814d7bbf4cbde08b68dc04cab5ea2239eda75426f65ac8796ca51ffa"},
    {3000, 2, -245780, 12683040, 14174, -109, 440,
     "e4a9a60d8eb83182c4eb718d8d3e9c3c9956092a5f3b238cb88be403caf01aaa"},
    {3000, 3, 129, 13329, 132, 0, 0,
     "3c2b1a5c4a87ef3ebdb88b8ff0cb0b95df1b8f9a394155fb910e741f34b9fe6e"},
};

std::string Sha256OfInt32(const std::vector<int32_t>& values) {
  std::vector<unsigned char> bytes;
  for (const int32_t value : values) {
    for (int shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<unsigned char>(static_cast<uint32_t>(value) >> shift));
    }
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(bytes.data(), bytes.size(), digest.data());
  std::string hex;
  for (const unsigned char byte : digest) {
    char text[3];
    std::snprintf(text, sizeof(text), "%02x", static_cast<unsigned>(byte));
    hex += text;
  }
  return hex;
}

void ExpectGoldenState(Learner& learner, int steps) {
  StateReader state;
  learner.VisitState(state);
  for (const Golden& golden : kGolden) {
    if (golden.steps != steps) continue;
    SCOPED_TRACE("after " + std::to_string(steps) + " mini-batches, layer " +
                 std::to_string(golden.layer));
    const Layer& layer = state.layers[golden.layer];
    int64_t sum = 0;
    int64_t magnitude_sum = 0;
    int32_t magnitude_max = 0;
    for (const int32_t weight : layer.weight) {
      sum += weight;
      magnitude_sum += std::abs(weight);
      magnitude_max = std::max(magnitude_max, std::abs(weight));
    }
    EXPECT_EQ(sum, golden.weight_sum);
    EXPECT_EQ(magnitude_sum, golden.weight_magnitude_sum);
    EXPECT_EQ(magnitude_max, golden.weight_magnitude_max);
    EXPECT_EQ(layer.bias_sum, golden.bias_sum);
    EXPECT_EQ(layer.feedback_sum, golden.feedback_sum);
    EXPECT_EQ(Sha256OfInt32(layer.weight), golden.sha256);
  }
}

size_t CountCorrect(const Learner& learner, const test::LabelledImages& images) {
  const auto predictor = learner.MakePredictor();
  std::vector<int32_t> scores(images.rows() * 10);
  predictor->Predict(images.Rows(0, images.rows()), scores);
  size_t correct = 0;
  for (size_t r = 0; r < images.rows(); ++r) {
    correct += ArgMax(std::span(scores).subspan(r * 10, 10)) == images.labels[r] ? 1 : 0;
  }
  return correct;
}

struct EpochResult {
  int64_t loss = 0;
  uint64_t correct = 0;
};

// Trains `steps` mini-batches of one epoch and checks the golden states on the way.
EpochResult RunEpoch(ReferenceRun& run, const test::LabelledImages& train, size_t steps) {
  const auto order = run.NextEpochOrder(static_cast<uint32_t>(train.rows()));
  EpochResult result;
  for (size_t step = 0; step < steps; ++step) {
    const test::LabelledImages batch = test::Gather(train, order, step * 20, 20);
    const StepReport report = run.learner().TrainStep(batch.Rows(0, 20), batch.labels);
    result.loss += report.loss;
    result.correct += report.correct;
    const int done = static_cast<int>(run.learner().step());
    if (done == 1 || done == 2 || done == 10 || done == 100 || done == 3000) {
      ExpectGoldenState(run.learner(), done);
    }
  }
  return result;
}

std::unique_ptr<ReferenceRun> MakeRun() {
  auto spec = ZooSpec("pocketnn/reference-mnist");
  EXPECT_TRUE(spec.ok()) << spec.status();
  auto run = MakeReferenceRun(*spec);
  EXPECT_TRUE(run.ok()) << run.status();
  return *std::move(run);
}

TEST(GoldenTest, ReferenceProfileHasThePublishedStateAfterAHundredMiniBatches) {
  const auto train = test::ReadMnist("train");
  if (!train) GTEST_SKIP() << "MNIST not found: set TALLY_DATA_DIR";
  const auto run = MakeRun();
  RunEpoch(*run, *train, 100);
}

TEST(GoldenTest, ReferenceProfileGivesThePublishedResultsAfterThreeEpochs) {
  const auto train = test::ReadMnist("train");
  const auto images = test::ReadMnist("t10k");
  if (!train || !images) GTEST_SKIP() << "MNIST not found: set TALLY_DATA_DIR";
  const auto run = MakeRun();
  constexpr int64_t kLoss[] = {1070190, 597476, 489390};
  constexpr uint64_t kTrainCorrect[] = {54667, 57266, 57843};
  constexpr size_t kTestCorrect[] = {9484, 9584, 9643};
  for (size_t epoch = 0; epoch < 3; ++epoch) {
    SCOPED_TRACE("epoch " + std::to_string(epoch));
    const EpochResult result = RunEpoch(*run, *train, 3000);
    EXPECT_EQ(result.loss, kLoss[epoch]);
    EXPECT_EQ(result.correct, kTrainCorrect[epoch]);
    EXPECT_EQ(CountCorrect(run->learner(), *images), kTestCorrect[epoch]);
  }
}

}  // namespace
}  // namespace tally
