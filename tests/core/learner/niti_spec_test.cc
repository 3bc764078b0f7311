// Goal: pin how specs of algorithm niti are read, refused and written.
// Method: one good document with every field; a table of documents with one fault each; round
// trips.

#include <gtest/gtest.h>

#include "core/learner/layer_shapes.h"
#include "core/learner/model_spec_reader.h"

namespace tally {
namespace {

constexpr char kYaml[] = R"(name: pane
algorithm: niti
input: {shape: [8, 6, 2]}
preprocessing: {kind: constants, scope: channel, mean: [1, -2], deviation: [3, 4]}
layers:
  - {kind: conv2d, units: 5, kernel: [3, 2], padding: [1, 0], activation: relu}
  - {kind: max_pool, kernel: [2, 2]}
  - {kind: dropout, drop_permille: 250}
  - {kind: dense, units: 7, activation: relu}
  - {units: 3, activation: as_is}
classes: 3
learning_rate: [{mu: 2}, {from_step: 9, mu: -3}]
schedule_steps: 50
niti: {profile: reference, weight_bits: 16, loss_rounding: stochastic, gradient_bits_min: 12, decay_bits: 15, range_memory: 64}
augmentation: {crop_padding: 2, horizontal_flip: true}
)";

// The document above with the first `from` replaced.
std::string With(std::string_view from, std::string_view to) {
  std::string yaml = kYaml;
  const size_t at = yaml.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return yaml.replace(at, from.size(), to);
}

TEST(NitiSpecTest, ReadsEveryField) {
  const auto spec = ModelSpecFromYaml(kYaml, "m.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->preprocessing.scope, PreprocessingScope::kChannel);
  ASSERT_EQ(spec->layers.size(), 5u);
  EXPECT_EQ(spec->layers[0].kind, LayerKind::kConv2d);
  EXPECT_EQ(spec->layers[0].kernel, (Extent2d{3, 2}));
  EXPECT_EQ(spec->layers[0].padding, (Extent2d{1, 0}));
  EXPECT_EQ(spec->layers[0].activation, Activation::kRelu);
  EXPECT_EQ(spec->layers[1].kind, LayerKind::kMaxPool);
  EXPECT_EQ(spec->layers[2].drop_permille, 250u);
  EXPECT_EQ(spec->layers[3].kind, LayerKind::kDense);
  EXPECT_EQ(MuAt(*spec, 8), 2);
  EXPECT_EQ(MuAt(*spec, 9), -3);
  EXPECT_EQ(spec->niti.profile, NitiProfile::kReference);
  EXPECT_EQ(spec->niti.weight_bits, 16u);
  EXPECT_EQ(spec->niti.loss_rounding, LossRounding::kStochastic);
  EXPECT_EQ(spec->niti.gradient_bits_min, 12u);
  EXPECT_EQ(spec->niti.decay_bits, 15u);
  EXPECT_EQ(spec->niti.range_memory, 64u);
  EXPECT_EQ(spec->augmentation.crop_padding, 2u);
  EXPECT_TRUE(spec->augmentation.horizontal_flip);
}

TEST(NitiSpecTest, ShapesFollowFromLayerToLayer) {
  const auto spec = ModelSpecFromYaml(kYaml, "m.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  const std::vector<LayerShape> shapes = LayerShapes(*spec);
  ASSERT_EQ(shapes.size(), 5u);
  EXPECT_EQ(shapes[0].in, (RowShape{8, 6, 2}));
  EXPECT_EQ(shapes[0].out, (RowShape{8, 5, 5}));
  EXPECT_EQ(shapes[0].fan_in, 12u);
  EXPECT_EQ(shapes[1].out, (RowShape{4, 2, 5}));
  EXPECT_EQ(shapes[2].out, (RowShape{4, 2, 5}));
  EXPECT_EQ(shapes[3].in, (RowShape{1, 1, 40}));
  EXPECT_EQ(shapes[3].out, (RowShape{1, 1, 7}));
  EXPECT_EQ(shapes[4].fan_in, 7u);
  EXPECT_EQ(ParameterCount(*spec), 12u * 5 + 40 * 7 + 7 * 3);
}

TEST(NitiSpecTest, CanonicalTextIsPinned) {
  const auto spec = ModelSpecFromYaml(kYaml, "m.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(
      CanonicalSpec(*spec),
      R"({"algorithm":"niti","augmentation":{"crop_padding":2,"horizontal_flip":true},)"
      R"("batch_size":20,"classes":3,"input":{"shape":[8,6,2],"type":"uint8"},"labels":[],)"
      R"("layers":[{"activation":"relu","kernel":[3,2],"kind":"conv2d","padding":[1,0],"units":5},)"
      R"({"kernel":[2,2],"kind":"max_pool"},{"drop_permille":250,"kind":"dropout"},)"
      R"({"activation":"relu","units":7},{"activation":"as_is","units":3}],)"
      R"("learning_rate":[{"from_step":0,"mu":2},{"from_step":9,"mu":-3}],)"
      R"("niti":{"decay_bits":15,"gradient_bits_min":12,"loss_rounding":"stochastic",)"
      R"("profile":"reference","range_memory":64,"weight_bits":16},)"
      R"("preprocessing":{"calibration_samples":0,"deviation":[3,4],"kind":"constants",)"
      R"("mean":[1,-2],"scope":"channel","unit":51},"schedule_steps":50,"seed":1})");
}

TEST(NitiSpecTest, CanonicalAndPrettyTextAreReadBack) {
  for (const std::string& yaml :
       {std::string(kYaml), With(", range_memory: 64", ""),
        With("augmentation: {crop_padding: 2, horizontal_flip: true}", "")}) {
    const auto spec = ModelSpecFromYaml(yaml, "m.yaml");
    ASSERT_TRUE(spec.ok()) << spec.status();
    const std::string canonical = CanonicalSpec(*spec);
    for (const auto& again :
         {ModelSpecFromJson(canonical, "spec"), ModelSpecFromYaml(PrettySpec(*spec), "spec")}) {
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(CanonicalSpec(*again), canonical);
    }
  }
}

TEST(NitiSpecTest, RefusesEveryFaultWithPlacePathAndValue) {
  const struct {
    const char* from;
    const char* to;
    const char* message;
  } cases[] = {
      {"{kind: conv2d, units: 5", "{kind: conv3d, units: 5",
       "m.yaml:6: layers[0].kind: got \"conv3d\", expected one of dense, conv2d, max_pool, "
       "dropout"},
      {"kernel: [3, 2], padding", "padding",
       "m.yaml:6: layers[0].kernel: missing; it has no default"},
      {"kernel: [3, 2]", "kernel: [3]",
       "m.yaml:6: layers[0].kernel: got 1 items, expected 2: height and width"},
      {"kernel: [3, 2]", "kernel: [3, 33]",
       "m.yaml:6: layers[0].kernel[1]: got 33, expected an integer from 1 to 32"},
      {"padding: [1, 0]", "padding: [3, 0]",
       "m.yaml:6: layers[0].padding[0]: got 3, expected an integer from 0 to 2"},
      {"kernel: [3, 2]", "kernel: [11, 2]",
       "m.yaml:6: layers[0].kernel: got 11 x 2, larger than what enters: 8 x 6 x 2, padded to 10 x "
       "6"},
      {"{kind: conv2d, units: 5, kernel: [3, 2], padding: [1, 0], activation: relu}",
       "{kind: max_pool, kernel: [2, 2]}",
       "m.yaml:6: layers[0].kind: got max_pool, expected dense or conv2d in the first layer"},
      {"{kind: max_pool, kernel: [2, 2]}", "{kind: max_pool, kernel: [17, 2]}",
       "m.yaml:7: layers[1].kernel[0]: got 17, expected an integer from 1 to 16"},
      {"{kind: max_pool, kernel: [2, 2]}", "{kind: max_pool, kernel: [2, 2], units: 5}",
       "m.yaml:7: layers[1].units: has no meaning with kind: max_pool"},
      {"{kind: max_pool, kernel: [2, 2]}", "{kind: max_pool, kernel: [9, 2]}",
       "m.yaml:7: layers[1].kernel: got 9 x 2, larger than what enters: 8 x 5 x 5"},
      {"{kind: max_pool, kernel: [2, 2]}",
       "{units: 9, activation: relu}\n"
       "  - {kind: max_pool, kernel: [1, 1]}",
       "m.yaml:8: layers[2].kind: got max_pool, which takes images, but what enters is a flat row "
       "of 9 elements; put it before the dense layers, and give input.shape as [height, width, "
       "channels]"},
      {"drop_permille: 250", "drop_permille: 1000",
       "m.yaml:8: layers[2].drop_permille: got 1000, expected an integer from 1 to 999"},
      {"drop_permille: 250", "units: 3",
       "m.yaml:8: layers[2].drop_permille: missing; it has no "
       "default"},
      {"units: 7, activation: relu", "units: 7",
       "m.yaml:9: layers[3].activation: got pocket_tanh, expected relu or as_is with algorithm: "
       "niti"},
      {"activation: as_is", "activation: relu",
       "m.yaml:10: layers[4].activation: got relu, expected as_is in the last layer with "
       "algorithm: "
       "niti"},
      {"{units: 3, activation: as_is}", "{kind: dropout, drop_permille: 1}",
       "m.yaml:10: layers[4].kind: got dropout, expected dense in the last layer"},
      {"{mu: 2}", "{inverse: 2}", "m.yaml:12: learning_rate[0].mu: missing; it has no default"},
      {"{mu: 2}", "{mu: 2, inverse: 2}",
       "m.yaml:12: learning_rate[0].inverse: has no meaning with algorithm: niti"},
      {"{mu: 2}", "{mu: 16}",
       "m.yaml:12: learning_rate[0].mu: got 16, expected an integer from -15 to 15"},
      {"weight_bits: 16", "weight_bits: 9", "m.yaml:14: niti.weight_bits: got 9, expected 8 or 16"},
      {"gradient_bits_min: 12", "gradient_bits_min: 32",
       "m.yaml:14: niti.gradient_bits_min: got 32, expected an integer from 0 to 31"},
      {"decay_bits: 15", "decay_bits: 7",
       "m.yaml:14: niti.decay_bits: got 7, expected 0 or an integer from 8 to 31"},
      {"range_memory: 64", "range_memory: 65537",
       "m.yaml:14: niti.range_memory: got 65537, expected an integer from 0 to 65536"},
      {"profile: reference", "profile: golden",
       "m.yaml:14: niti.weight_bits: niti.profile: golden requires 8"},
      {"crop_padding: 2", "crop_padding: 17",
       "m.yaml:15: augmentation.crop_padding: got 17, expected an integer from 0 to 16"},
      {"augmentation:", "pocketnn: {target: 3}\naugmentation:",
       "m.yaml:15: pocketnn: has no meaning with algorithm: niti"},
      {"kind: constants, scope: channel, mean: [1, -2], deviation: [3, 4]", "kind: none",
       "m.yaml:4: preprocessing.kind: got none, expected constants or calibrated: niti computes "
       "with int8, and input.type is uint8"},
      {"mean: [1, -2]", "mean: [1]",
       "m.yaml:4: preprocessing.mean: got 1 values, expected 2 (scope: channel)"},
      {"shape: [8, 6, 2]", "shape: [8, 6]",
       "m.yaml:4: preprocessing.scope: got channel with an input.shape of 2 dimensions, expected "
       "3: "
       "[height, width, channels]"},
  };
  for (const auto& c : cases) {
    const auto spec = ModelSpecFromYaml(With(c.from, c.to), "m.yaml");
    EXPECT_EQ(spec.status().message(), c.message) << c.to;
  }
}

// The document with these options of niti instead of its own.
std::string WithNiti(std::string_view options) {
  const std::string_view own =
      "profile: reference, weight_bits: 16, loss_rounding: stochastic, gradient_bits_min: 12, "
      "decay_bits: 15, range_memory: 64";
  return With(own, options);
}

TEST(NitiSpecTest, OptionsOfFineWeightsAreReadAndWritten) {
  const auto spec = ModelSpecFromYaml(
      WithNiti("weight_bits: 16, softmax: fine, momentum_bits: 5, headroom_bits: 4"), "m.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->niti.softmax, NitiSoftmax::kFine);
  EXPECT_EQ(spec->niti.momentum_bits, 5u);
  EXPECT_EQ(spec->niti.headroom_bits, 4u);
  const std::string canonical = CanonicalSpec(*spec);
  EXPECT_NE(canonical.find(
                R"("niti":{"decay_bits":0,"gradient_bits_min":0,"headroom_bits":4,)"
                R"("loss_rounding":"pseudo_stochastic","momentum_bits":5,"profile":"standard",)"
                R"("softmax":"fine","weight_bits":16})"),
            std::string::npos)
      << canonical;
  EXPECT_EQ(ModelSpecFromJson(canonical, "spec")->niti, spec->niti);
  EXPECT_EQ(ModelSpecFromYaml(PrettySpec(*spec), "spec")->niti, spec->niti);
}

TEST(NitiSpecTest, OptionsOfFineWeightsAreRefusedWhereTheyHaveNoMeaning) {
  const struct {
    const char* options;
    const char* message;
  } cases[] = {
      {"weight_bits: 16, momentum_bits: 6",
       "m.yaml:14: niti.momentum_bits: got 6, expected an integer from 0 to 5"},
      {"weight_bits: 16, headroom_bits: 5",
       "m.yaml:14: niti.headroom_bits: got 5, expected an integer from 0 to 4"},
      {"weight_bits: 8, momentum_bits: 3",
       "m.yaml:14: niti.weight_bits: niti.momentum_bits requires 16"},
      {"weight_bits: 8, headroom_bits: 1",
       "m.yaml:14: niti.weight_bits: niti.headroom_bits requires 16"},
      {"weight_bits: 16, momentum_bits: 3, range_memory: 8",
       "m.yaml:14: niti.range_memory: has no meaning with niti.momentum_bits, which measures by "
       "the loss"},
      {"weight_bits: 16, momentum_bits: 3, gradient_bits_min: 8",
       "m.yaml:14: niti.gradient_bits_min: has no meaning with niti.momentum_bits, which measures "
       "by the loss"},
      {"profile: golden, softmax: fine",
       "m.yaml:14: niti: niti.profile: golden requires the defaults of its options"},
      {"softmax: exact", "m.yaml:14: niti.softmax: got \"exact\", expected one of octaves, fine"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(ModelSpecFromYaml(WithNiti(c.options), "m.yaml").status().message(), c.message);
  }
}

TEST(NitiSpecTest, StepsOfEightBitWeightsEndEightBitsEarlier) {
  ModelSpec spec = *ModelSpecFromYaml(kYaml, "m.yaml");
  spec.learning_rate[0].mu = 15;
  EXPECT_TRUE(ValidateModelSpec(spec).ok()) << ValidateModelSpec(spec);
  spec.niti.weight_bits = 8;
  EXPECT_EQ(ValidateModelSpec(spec).message(),
            "learning_rate[0].mu: got 15, expected an integer from -15 to 7");
}

TEST(NitiSpecTest, RefusesLayersOfTooManyElements) {
  ModelSpec spec = *ModelSpecFromYaml(kYaml, "m.yaml");
  spec.input.shape = {64, 64, 2};
  spec.layers[0].units = 1100;
  EXPECT_EQ(ValidateModelSpec(spec).message(),
            "layers[0].units: got 1100, which makes rows of 64 x 63 x 1100 = 4435200 elements; "
            "expected at most 4194304");
}

TEST(NitiSpecTest, AugmentationWantsImages) {
  ModelSpec spec = *ModelSpecFromYaml(kYaml, "m.yaml");
  spec.input.shape = {96};
  spec.preprocessing.scope = PreprocessingScope::kGlobal;
  spec.preprocessing.mean = {1};
  spec.preprocessing.deviation = {1};
  spec.layers.erase(spec.layers.begin(), spec.layers.begin() + 3);
  EXPECT_EQ(
      ValidateModelSpec(spec).message(),
      "augmentation: needs images, and input.shape has 1 dimensions; expected [height, width] "
      "or [height, width, channels]");
}

}  // namespace
}  // namespace tally
