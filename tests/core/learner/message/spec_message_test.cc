// Goal: a spec on the wire and a spec in text have the same fields, for ever.
// Method: a spec with no field at its default goes from canonical JSON into the message and back
// through Protobuf's JSON printer; every field of the messages must have been set on the way.

#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/learner/model_spec_reader.h"
#include "tally/v1/models.pb.h"

namespace tally {
namespace {

namespace pb = google::protobuf;

// Specs between which every field is away from its default.
constexpr const char* kSpecs[] = {
    R"(name: door
algorithm: pocketnn
input: {shape: [2, 3], type: int16}
preprocessing: {kind: constants, scope: element, unit: 40, mean: [1, -2, 3, 4, 5, -32768], deviation: [1, 2, 3, 4, 5, 65535]}
layers: [{units: 7, activation: as_is}, {units: 3, activation: rescale}]
classes: 3
labels: [a, "b \"c\"", é]
batch_size: 4
learning_rate: [{inverse: 9}, {from_step: 4294967297, inverse: 2147483647}]
schedule_steps: 1099511627776
seed: 18446744073709551615
pocketnn: {training: bp, target: 3, weight_limit: 99, update_rounding: stochastic}
)",
    R"(name: gate
algorithm: pocketnn
input: {shape: [2], type: uint8}
preprocessing: {kind: calibrated, calibration_samples: 7}
layers: [{units: 3}]
classes: 3
learning_rate: [{inverse: 9}]
schedule_steps: 5
seed: 0
)",
    R"(algorithm: pocketnn
input: {shape: [2]}
layers: [{units: 3}]
classes: 3
learning_rate: [{inverse: 9}]
schedule_steps: 5
pocketnn: {profile: reference}
)",
    R"(name: pane
algorithm: niti
input: {shape: [8, 6, 2]}
preprocessing: {kind: constants, scope: channel, mean: [1, -2], deviation: [3, 4]}
layers: [{kind: conv2d, units: 3, kernel: [3, 2], padding: [1, 0], activation: relu}, {kind: max_pool, kernel: [2, 2]}, {kind: dropout, drop_permille: 250}, {units: 3, activation: as_is}]
classes: 3
learning_rate: [{mu: -3}, {from_step: 9, mu: 0}]
schedule_steps: 5
niti: {profile: reference, weight_bits: 16, loss_rounding: stochastic, gradient_bits_min: 12, decay_bits: 15, range_memory: 9}
augmentation: {crop_padding: 2, horizontal_flip: true}
)",
    R"(algorithm: niti
input: {shape: [6], type: int8}
layers: [{units: 3, activation: as_is}]
classes: 3
learning_rate: [{mu: -5}]
schedule_steps: 5
niti: {weight_bits: 16, softmax: fine, momentum_bits: 3, headroom_bits: 1}
)"};

v1::ModelSpec MessageOf(const ModelSpec& spec) {
  v1::ModelSpec message;
  const auto status = pb::util::JsonStringToMessage(PrettySpec(spec), &message);
  EXPECT_TRUE(status.ok()) << status;
  return message;
}

// Full names of the fields of `message` and of those below: the set ones, and all of them.
void CollectFields(const pb::Message& message, std::set<std::string>& set,
                   std::set<std::string>& all) {
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const pb::FieldDescriptor* field = message.GetDescriptor()->field(i);
    const pb::Reflection& reflection = *message.GetReflection();
    all.insert(field->full_name());
    if (field->is_repeated()) {
      const int size = reflection.FieldSize(message, field);
      if (size > 0) set.insert(field->full_name());
      for (int k = 0; k < size && field->message_type() != nullptr; ++k) {
        CollectFields(reflection.GetRepeatedMessage(message, field, k), set, all);
      }
    } else if (reflection.HasField(message, field)) {
      set.insert(field->full_name());
      if (field->message_type() != nullptr) {
        CollectFields(reflection.GetMessage(message, field), set, all);
      }
    }
  }
}

TEST(SpecMessageTest, ASpecSurvivesTheWire) {
  for (const char* yaml : kSpecs) {
    const auto spec = ModelSpecFromYaml(yaml, "m.yaml");
    ASSERT_TRUE(spec.ok()) << spec.status();
    pb::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    std::string json;
    ASSERT_TRUE(pb::util::MessageToJsonString(MessageOf(*spec), &json, options).ok());
    const auto again = ModelSpecFromJson(json, "request");
    ASSERT_TRUE(again.ok()) << again.status() << json;
    EXPECT_EQ(CanonicalSpec(*again), CanonicalSpec(*spec));
    EXPECT_EQ(again->name, spec->name);
  }
}

TEST(SpecMessageTest, EveryFieldOfTheMessageIsAFieldOfTheText) {
  std::set<std::string> set;
  std::set<std::string> all;
  for (const char* yaml : kSpecs) {
    CollectFields(MessageOf(*ModelSpecFromYaml(yaml, "m.yaml")), set, all);
  }
  EXPECT_EQ(set, all);
  EXPECT_GT(all.size(), 25u);
}

}  // namespace
}  // namespace tally
