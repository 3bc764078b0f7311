// Goal: a checkpoint whose values are out of their learner's range is refused, digests or not.
// Method: one value beyond the limit, both digests made right, as a program that writes nonsense
// would make them: the range check stands alone. One case an algorithm.

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/safetensors.h"
#include "core/learner/model_spec_reader.h"

namespace tally {
namespace {

struct Forgery {
  const char* name;
  const char* spec;
  const char* array;
  std::string bytes;  // of its first element
  const char* value;
};
void PrintTo(const Forgery& forgery, std::ostream* out) { *out << forgery.name; }

const Forgery kForgeries[] = {
    {"PocketNn",
     R"({algorithm: pocketnn, input: {shape: [6]}, layers: [{units: 5}, {units: 3}], classes: 3,
         batch_size: 4, learning_rate: [{inverse: 100}], schedule_steps: 30,
         pocketnn: {weight_limit: 1000}})",
     "layer2.weight", "\xe9\x03", "1001"},
    {"Niti",
     R"({algorithm: niti, input: {shape: [6], type: int8}, classes: 3, batch_size: 4,
         schedule_steps: 30,
         layers: [{units: 5, activation: relu}, {units: 3, activation: as_is}],
         learning_rate: [{mu: 2}]})",
     "layer2.weights", "\x80", "-128"},
    {"NitiFine",
     R"({algorithm: niti, input: {shape: [6], type: int8}, classes: 3, batch_size: 4,
         schedule_steps: 30,
         layers: [{units: 5, activation: relu}, {units: 3, activation: as_is}],
         learning_rate: [{mu: 2}], niti: {weight_bits: 16}})",
     "layer2.weights", "\x01\x7f", "32513"},
};

absl::StatusOr<std::unique_ptr<Learner>> Make(const ModelSpec& spec) { return MakeLearner(spec); }

class ForgedValuesTest : public testing::TestWithParam<Forgery> {};

TEST_P(ForgedValuesTest, WeightsBeyondTheLimitAreRefused) {
  const Forgery& forgery = GetParam();
  const auto spec = ModelSpecFromYaml(forgery.spec, "spec");
  ASSERT_TRUE(spec.ok()) << spec.status();
  const auto learner = *Make(*spec);
  const std::string bytes = EncodeCheckpoint(*learner, {});
  auto file = *safetensors::Read(bytes);
  bool found = false;
  for (auto& tensor : file.tensors) {
    if (tensor.name != forgery.array) continue;
    found = true;
    const std::string changed =
        forgery.bytes + std::string(tensor.bytes.substr(forgery.bytes.size()));
    tensor.bytes = changed;
    file.metadata["file_digest"] = std::string(64, '0');
    std::string forged = safetensors::Write(file.metadata, file.tensors);
    forged.replace(40, 64, Sha256Hex(forged));
    const auto status = DecodeCheckpoint(forged, Make).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_NE(status.message().find(forgery.array), std::string::npos) << status;
    EXPECT_NE(status.message().find(forgery.value), std::string::npos) << status;
  }
  EXPECT_TRUE(found);
}

INSTANTIATE_TEST_SUITE_P(EveryAlgorithm, ForgedValuesTest, testing::ValuesIn(kForgeries),
                         [](const auto& forgery) { return std::string(forgery.param.name); });

}  // namespace
}  // namespace tally
