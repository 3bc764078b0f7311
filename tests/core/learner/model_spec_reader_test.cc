// Goal: pin the strict reading of specs: defaults, every refusal with its whole message, and the
// canonical bytes that enter the state digest.
// Method: one good document in YAML and JSON; a table of documents with one fault each; round trips
// of specs at the corners of every range.

#include "core/learner/model_spec_reader.h"

#include <gtest/gtest.h>

#include "core/text/status_macros.h"

namespace tally {
namespace {

constexpr char kYaml[] = R"(name: door-1.x
algorithm: pocketnn
input: {shape: [28, 28], type: uint8}
preprocessing:
  kind: calibrated
  scope: element
  unit: 40
  calibration_samples: 1000
layers:
  - units: 100
  - {units: 50, activation: pocket_relu8}
  - {units: 3, activation: as_is}
classes: 3
labels: [cat, dog, "none \"of\" them"]
batch_size: 32
learning_rate:
  - {inverse: 1000}
  - {from_step: 30000, inverse: 2000}
schedule_steps: 90000
seed: 18446744073709551615
pocketnn: {training: bp, target: 20, weight_limit: 8191, update_rounding: stochastic}
)";

// A spec document of the smallest kind, with one line replaced by another (or added if `from` is
// "").
std::string Minimal(std::string_view from = "", std::string_view to = "") {
  std::string yaml =
      "algorithm: pocketnn\n"
      "input: {shape: [4]}\n"
      "layers: [{units: 3}, {units: 2}]\n"
      "classes: 2\n"
      "learning_rate: [{inverse: 10}]\n"
      "schedule_steps: 100\n";
  if (from.empty()) return yaml + std::string(to);
  const size_t at = yaml.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return yaml.replace(at, from.size(), to);
}

std::string Refusal(const std::string& yaml) {
  const auto spec = ModelSpecFromYaml(yaml, "m.yaml");
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << yaml;
  return std::string(spec.status().message());
}

std::string Field(const absl::Status& status) {
  const auto payload = status.GetPayload(kFieldPayloadUrl);
  return payload.has_value() ? std::string(*payload) : "none";
}

TEST(ModelSpecReaderTest, ReadsEveryField) {
  const auto spec = ModelSpecFromYaml(kYaml, "m.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "door-1.x");
  EXPECT_EQ(spec->input.shape, (std::vector<uint32_t>{28, 28}));
  EXPECT_EQ(spec->preprocessing.kind, PreprocessingKind::kCalibrated);
  EXPECT_EQ(spec->preprocessing.scope, PreprocessingScope::kElement);
  EXPECT_EQ(spec->preprocessing.calibration_samples, 1000u);
  ASSERT_EQ(spec->layers.size(), 3u);
  EXPECT_EQ(spec->layers[0].activation, Activation::kPocketTanh);
  EXPECT_EQ(spec->layers[1].activation, Activation::kPocketRelu8);
  EXPECT_EQ(spec->layers[2].activation, Activation::kAsIs);
  EXPECT_EQ(spec->labels[2], "none \"of\" them");
  EXPECT_EQ(spec->learning_rate[1].from_step, 30000u);
  EXPECT_EQ(spec->seed, UINT64_MAX);
  EXPECT_EQ(spec->pocketnn.training, CreditAssignment::kBackPropagation);
  EXPECT_EQ(spec->pocketnn.update_rounding, UpdateRounding::kStochastic);
}

TEST(ModelSpecReaderTest, MissingKeysTakeTheirDefaults) {
  const auto spec = ModelSpecFromYaml(Minimal(), "m.yaml");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->name, "");
  EXPECT_EQ(spec->input.type, ElementType::kUint8);
  EXPECT_EQ(spec->preprocessing.kind, PreprocessingKind::kNone);
  EXPECT_EQ(spec->batch_size, 20u);
  EXPECT_EQ(spec->seed, 1u);
  EXPECT_EQ(spec->pocketnn.target, 15u);
  EXPECT_EQ(spec->pocketnn.weight_limit, 32767u);
}

// 64-bit integers quoted, absent fields left out: what Protobuf's JSON printer makes of the
// message.
TEST(ModelSpecReaderTest, ReadsWhatProtobufPrints) {
  const auto spec = ModelSpecFromJson(
      R"({"name":"m","algorithm":"pocketnn","input":{"shape":[4],"type":"int8"},)"
      R"("preprocessing":{"kind":"constants","mean":[-3],"deviation":[7]},)"
      R"("layers":[{"units":3,"activation":"rescale"},{"units":2}],"classes":2,"batch_size":1,)"
      R"("learning_rate":[{"inverse":10},{"from_step":"4294967296","inverse":20}],)"
      R"("schedule_steps":"1099511627776","seed":"18446744073709551615","pocketnn":{}})",
      "request");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->learning_rate[1].from_step, uint64_t{1} << 32);
  EXPECT_EQ(spec->schedule_steps, uint64_t{1} << 40);
  EXPECT_EQ(spec->seed, UINT64_MAX);
  EXPECT_EQ(spec->preprocessing.mean, std::vector<int32_t>{-3});
}

TEST(ModelSpecReaderTest, CanonicalTextIsPinned) {
  const auto spec = ModelSpecFromYaml(kYaml, "m.yaml");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(
      CanonicalSpec(*spec),
      R"({"algorithm":"pocketnn","batch_size":32,"classes":3,"input":{"shape":[28,28],"type":"uint8"},)"
      R"("labels":["cat","dog","none \"of\" them"],"layers":[{"activation":"pocket_tanh","units":100},)"
      R"({"activation":"pocket_relu8","units":50},{"activation":"as_is","units":3}],)"
      R"("learning_rate":[{"from_step":0,"inverse":1000},{"from_step":30000,"inverse":2000}],)"
      R"("pocketnn":{"profile":"standard","target":20,"training":"bp","update_rounding":"stochastic",)"
      R"("weight_limit":8191},"preprocessing":{"calibration_samples":1000,"deviation":[],)"
      R"("kind":"calibrated","mean":[],"scope":"element","unit":40},"schedule_steps":90000,)"
      R"("seed":18446744073709551615})");
}

TEST(ModelSpecReaderTest, CanonicalAndPrettyTextAreReadBack) {
  std::vector<ModelSpec> specs = {*ModelSpecFromYaml(kYaml, "m.yaml"),
                                  *ModelSpecFromYaml(Minimal(), "m.yaml")};
  specs.push_back(specs[1]);
  specs.back().preprocessing = {.kind = PreprocessingKind::kConstants,
                                .scope = PreprocessingScope::kElement,
                                .unit = 127,
                                .mean = {-32768, 32767, 0, 1},
                                .deviation = {1, 65535, 2, 3},
                                .calibration_samples = 0};
  specs.back().labels = {"a, b: [c] {d}\\", "\u00e9\U0001f600"};
  specs.push_back(specs[1]);
  specs.back().pocketnn.profile = PocketNnProfile::kReference;
  for (const ModelSpec& spec : specs) {
    const std::string canonical = CanonicalSpec(spec);
    const auto again = ModelSpecFromJson(canonical, "spec");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(CanonicalSpec(*again), canonical);
    EXPECT_EQ(again->name, "");
    for (const auto& pretty : {ModelSpecFromJson(PrettySpec(spec), "spec"),
                               ModelSpecFromYaml(PrettySpec(spec), "spec")}) {
      ASSERT_TRUE(pretty.ok()) << pretty.status() << PrettySpec(spec);
      EXPECT_EQ(CanonicalSpec(*pretty), canonical);
      EXPECT_EQ(pretty->name, spec.name);
    }
  }
}

TEST(ModelSpecReaderTest, PrettyTextHasALineAKey) {
  auto spec = ModelSpecFromYaml(Minimal(), "m.yaml");
  ASSERT_TRUE(spec.ok());
  spec->name = "door";
  EXPECT_EQ(PrettySpec(*spec), R"({
  "name": "door",
  "algorithm": "pocketnn",
  "batch_size": 20,
  "classes": 2,
  "input": {"shape": [4], "type": "uint8"},
  "labels": [],
  "layers": [
    {"activation": "pocket_tanh", "units": 3},
    {"activation": "pocket_tanh", "units": 2}
  ],
  "learning_rate": [
    {"from_step": 0, "inverse": 10}
  ],
  "pocketnn": {"profile": "standard", "target": 15, "training": "dfa", "update_rounding": "toward_zero", "weight_limit": 32767},
  "preprocessing": {"calibration_samples": 0, "deviation": [], "kind": "none", "mean": [], "scope": "global", "unit": 51},
  "schedule_steps": 100,
  "seed": 1
})");
}

TEST(ModelSpecReaderTest, TheNameIsNotCanonical) {
  auto spec = ModelSpecFromYaml(kYaml, "m.yaml");
  const std::string before = CanonicalSpec(*spec);
  spec->name = "window";
  EXPECT_EQ(CanonicalSpec(*spec), before);
}

TEST(ModelSpecReaderTest, RefusesEveryFaultWithPlacePathAndValue) {
  const std::string ranges = ", expected an integer from ";
  const struct {
    const char* from;
    const char* to;
    std::string message;
  } cases[] = {
      {"", "lerning_rate: 3\n", "m.yaml:7: lerning_rate: unknown key; did you mean learning_rate?"},
      {"", "pocketnn: {weight_limits: 3}\n",
       "m.yaml:7: pocketnn.weight_limits: unknown key; did you mean weight_limit?"},
      {"algorithm: pocketnn\n", "", "m.yaml:1: algorithm: missing; it has no default"},
      {"input: {shape: [4]}\n", "", "m.yaml:1: input: missing; it has no default"},
      {"{shape: [4]}", "{type: int8}", "m.yaml:2: input.shape: missing; it has no default"},
      {"classes: 2\n", "", "m.yaml:1: classes: missing; it has no default"},
      {"schedule_steps: 100\n", "", "m.yaml:1: schedule_steps: missing; it has no default"},
      {"pocketnn", "pocketn",
       "m.yaml:1: algorithm: got \"pocketn\", expected one of pocketnn, niti"},
      {"", "name: Door\n",
       "m.yaml:7: name: got \"Door\", expected 1 to 63 characters of a-z, 0-9, '.', '_' and '-', "
       "the "
       "first a letter or digit"},
      {"[4]", "[]", "m.yaml:2: input.shape: got 0 dimensions, expected from 1 to 4"},
      {"[4]", "[1, 1, 1, 1, 1]", "m.yaml:2: input.shape: got 5 items, expected at most 4"},
      {"[4]", "[4, 0]", "m.yaml:2: input.shape[1]: got 0" + ranges + "1 to 65536"},
      {"[4]", "[65537]", "m.yaml:2: input.shape[0]: got 65537" + ranges + "1 to 65536"},
      {"[4]", "[65536, 17]", "m.yaml:2: input.shape: more than 1048576 elements"},
      {"[4]", "[65536, 65536, 65536, 65536]", "m.yaml:2: input.shape: more than 1048576 elements"},
      {"[4]", "4", "m.yaml:2: input.shape: got 4, expected a list"},
      {"{shape: [4]}", "{shape: [4], type: float32}",
       "m.yaml:2: input.type: got \"float32\", expected one of uint8, int8, int16"},
      {"[{units: 3}, {units: 2}]", "[]", "m.yaml:3: layers: got 0 items, expected from 1 to 64"},
      {"{units: 3}", "{units: 0}", "m.yaml:3: layers[0].units: got 0" + ranges + "1 to 65536"},
      {"{units: 3}", "{units: 65537}",
       "m.yaml:3: layers[0].units: got 65537" + ranges + "1 to 65536"},
      {"{units: 3}", "{}", "m.yaml:3: layers[0].units: missing; it has no default"},
      {"{units: 3}", "{units: 3, activation: relu}",
       "m.yaml:3: layers[0].activation: got relu, expected one of pocket_tanh, pocket_sigmoid, "
       "pocket_leaky_relu, pocket_relu8, rescale, as_is with algorithm: pocketnn"},
      {"{units: 3}", "{units: 3, activation: gelu}",
       "m.yaml:3: layers[0].activation: got \"gelu\", expected one of pocket_tanh, pocket_sigmoid, "
       "pocket_leaky_relu, pocket_relu8, rescale, as_is, relu"},
      {"{units: 3}", "{kind: max_pool, kernel: [1, 1]}",
       "m.yaml:3: layers[0].kind: got max_pool, which takes images, but what enters is a flat row "
       "of 4 elements; put it before the dense layers, and give input.shape as [height, width, "
       "channels]"},
      {"{units: 3}", "{kind: dropout, drop_permille: 500}",
       "m.yaml:3: layers[0].kind: got dropout, expected dense with algorithm: pocketnn"},
      {"{units: 3}", "{units: 3, kernel: [1, 1]}",
       "m.yaml:3: layers[0].kernel: has no meaning with kind: dense"},
      {"[{inverse: 10}]", "[{inverse: 10, mu: 1}]",
       "m.yaml:5: learning_rate[0].mu: has no meaning with algorithm: pocketnn"},
      {"", "niti: {weight_bits: 16}\n", "m.yaml:7: niti: has no meaning with algorithm: pocketnn"},
      {"", "augmentation: {horizontal_flip: true}\n",
       "m.yaml:7: augmentation: has no meaning with algorithm: pocketnn"},
      {"{units: 2}]", "{units: 4}]",
       "m.yaml:3: layers[1].units: got 4, expected as many as classes in the last layer: 2"},
      {"[{units: 3}, {units: 2}]", "[{units: 65536}, {units: 65536}, {units: 2}]",
       "m.yaml:3: layers: got 4295491586 weights and biases, expected at most 1073741824"},
      {"classes: 2", "classes: 1", "m.yaml:4: classes: got 1" + ranges + "2 to 65536"},
      {"", "labels: [a]\n", "m.yaml:7: labels: got 1 names, expected none or one a class: 2"},
      {"", "labels: [a, a]\n",
       "m.yaml:7: labels[1]: got \"a\" a second time; it is already labels[0]"},
      {"", "labels: [a, '']\n",
       "m.yaml:7: labels[1]: got 0 bytes, expected 1 to 128 bytes of UTF-8 without control "
       "characters"},
      {"", "labels: [a, \"b\\n\"]\n",
       "m.yaml:7: labels[1]: got 2 bytes, expected 1 to 128 bytes of UTF-8 without control "
       "characters"},
      {"", "labels: [0, 1]\n", "m.yaml:7: labels[0]: got 0, expected text; put it in quotes"},
      {"", "batch_size: 0\n", "m.yaml:7: batch_size: got 0" + ranges + "1 to 4096"},
      {"", "batch_size: 4097\n", "m.yaml:7: batch_size: got 4097" + ranges + "1 to 4096"},
      {"[{inverse: 10}]", "[{inverse: 0}]",
       "m.yaml:5: learning_rate[0].inverse: got 0" + ranges + "1 to 2147483647"},
      {"[{inverse: 10}]", "[{inverse: 2147483648}]",
       "m.yaml:5: learning_rate[0].inverse: got 2147483648" + ranges + "1 to 2147483647"},
      {"[{inverse: 10}]", "[{from_step: 1, inverse: 10}]",
       "m.yaml:5: learning_rate[0].from_step: got 1, the first point starts at 0"},
      {"[{inverse: 10}]", "[{inverse: 10}, {from_step: 5, inverse: 1}, {from_step: 5, inverse: 2}]",
       "m.yaml:5: learning_rate[2].from_step: got 5, expected more than the point before: 5"},
      {"[{inverse: 10}]", "[{from_step: 0}]",
       "m.yaml:5: learning_rate[0].inverse: missing; it has no default"},
      {"[{inverse: 10}]", "0.001",
       "m.yaml:5: 0.001: integers only; put it in quotes if it is text"},
      {"schedule_steps: 100", "schedule_steps: 0",
       "m.yaml:6: schedule_steps: got 0" + ranges + "1 to 1099511627776"},
      {"schedule_steps: 100", "schedule_steps: 1099511627777",
       "m.yaml:6: schedule_steps: got 1099511627777" + ranges + "1 to 1099511627776"},
      {"", "seed: -1\n", "m.yaml:7: seed: got -1" + ranges + "0 to 18446744073709551615"},
      {"", "pocketnn: {target: 128}\n", "m.yaml:7: pocketnn.target: got 128" + ranges + "1 to 127"},
      {"", "pocketnn: {target: 0}\n", "m.yaml:7: pocketnn.target: got 0" + ranges + "1 to 127"},
      {"", "pocketnn: {weight_limit: 32768}\n",
       "m.yaml:7: pocketnn.weight_limit: got 32768" + ranges + "1 to 32767"},
      {"", "pocketnn: {training: sgd}\n",
       "m.yaml:7: pocketnn.training: got \"sgd\", expected one of dfa, bp"},
      {"", "preprocessing: {unit: 40}\n",
       "m.yaml:7: preprocessing.unit: has no meaning with preprocessing.kind: none"},
      {"", "preprocessing: {scope: element}\n",
       "m.yaml:7: preprocessing.scope: has no meaning with preprocessing.kind: none"},
      {"", "preprocessing: {mean: [1]}\n",
       "m.yaml:7: preprocessing.mean: has no meaning with preprocessing.kind: none"},
      {"", "preprocessing: {kind: constants}\n",
       "m.yaml:7: preprocessing.mean: got 0 values, expected 1 (scope: global)"},
      {"", "preprocessing: {kind: constants, mean: [1], deviation: [1, 2]}\n",
       "m.yaml:7: preprocessing.deviation: got 2 values, expected 1 (scope: global)"},
      {"", "preprocessing: {kind: constants, scope: element, mean: [1], deviation: [1]}\n",
       "m.yaml:7: preprocessing.mean: got 1 values, expected 4 (scope: element)"},
      {"", "preprocessing: {kind: constants, mean: [1], deviation: [0]}\n",
       "m.yaml:7: preprocessing.deviation[0]: got 0" + ranges + "1 to 65535"},
      {"", "preprocessing: {kind: constants, mean: [32768], deviation: [1]}\n",
       "m.yaml:7: preprocessing.mean[0]: got 32768" + ranges + "-32768 to 32767"},
      {"", "preprocessing: {kind: constants, unit: 128, mean: [1], deviation: [1]}\n",
       "m.yaml:7: preprocessing.unit: got 128" + ranges + "1 to 127"},
      {"", "preprocessing: {kind: constants, mean: [1], deviation: [1], calibration_samples: 5}\n",
       "m.yaml:7: preprocessing.calibration_samples: has no meaning with preprocessing.kind: "
       "constants"},
      {"", "preprocessing: {kind: calibrated}\n",
       "m.yaml:7: preprocessing.calibration_samples: got 0" + ranges + "1 to 65536"},
      {"", "preprocessing: {kind: calibrated, calibration_samples: 5, deviation: [1]}\n",
       "m.yaml:7: preprocessing.deviation: has no meaning with preprocessing.kind: calibrated"},
  };
  for (const auto& c : cases) EXPECT_EQ(Refusal(Minimal(c.from, c.to)), c.message);
}

TEST(ModelSpecReaderTest, TheReferenceProfileRefusesEveryOption) {
  const std::string profile = "pocketnn: {profile: reference}\n";
  ASSERT_TRUE(ModelSpecFromYaml(Minimal("", profile), "m.yaml").ok());
  const auto refusal = [&](std::string_view from, std::string_view to) {
    return Refusal(Minimal(from, to) + profile);
  };
  const std::string requires_ = ": pocketnn.profile: reference requires ";
  EXPECT_EQ(refusal("{shape: [4]}", "{shape: [4], type: int8}"),
            "m.yaml:2: input.type" + requires_ + "uint8");
  EXPECT_EQ(refusal("{units: 3}", "{units: 3, activation: rescale}"),
            "m.yaml:3: layers[0].activation" + requires_ + "pocket_tanh");
  EXPECT_EQ(refusal("", "preprocessing: {kind: calibrated, calibration_samples: 1}\n"),
            "m.yaml:7: preprocessing.kind" + requires_ + "none");
  const std::pair<const char*, const char*> options[] = {
      {"target: 16", "target: 15"},
      {"weight_limit: 100", "weight_limit: 32767"},
      {"update_rounding: error_feedback", "update_rounding: toward_zero"}};
  for (const auto& [option, wanted] : options) {
    const std::string key = std::string(wanted).substr(0, std::string(wanted).find(':'));
    const std::string value = std::string(wanted).substr(key.size() + 2);
    EXPECT_EQ(Refusal(Minimal("", "pocketnn: {profile: reference, " + std::string(option) + "}\n")),
              "m.yaml:7: pocketnn." + key + requires_ + value);
  }
}

TEST(ModelSpecReaderTest, ErrorsCarryTheFieldAndOneLineJsonHasNoLine) {
  const auto spec = ModelSpecFromJson(
      R"({"algorithm":"pocketnn","input":{"shape":[4]},"layers":[{"units":3}],"classes":2,)"
      R"("learning_rate":[{"inverse":10}],"schedule_steps":100})",
      "request");
  EXPECT_EQ(spec.status().message(),
            "request: layers[0].units: got 3, expected as many as classes in the last layer: 2");
  EXPECT_EQ(Field(spec.status()), "layers[0].units");
}

TEST(ModelSpecReaderTest, AMapInsideALargerDocumentKeepsItsPath) {
  const auto document = text::ParseYaml(Minimal("{units: 3}", "{units: 0}"), "c.yaml");
  ASSERT_TRUE(document.ok());
  const auto spec = ReadModelSpec(*document, "models[0].spec");
  EXPECT_EQ(spec.status().message(),
            "c.yaml:3: models[0].spec.layers[0].units: got 0, expected an integer from 1 to 65536");
  EXPECT_EQ(Field(spec.status()), "models[0].spec.layers[0].units");
}

TEST(ModelSpecReaderTest, ValidatesSpecsBuiltByHand) {
  ModelSpec spec;
  const absl::Status status = ValidateModelSpec(spec);
  EXPECT_EQ(status.message(), "algorithm: got \"\", expected one of pocketnn, niti");
  EXPECT_EQ(Field(status), "algorithm");
}

TEST(CheckNameTest, TakesExactlyTheNamesOfThePattern) {
  for (const char* good : {"a", "0", "a.b_c-d", "9z"}) EXPECT_TRUE(CheckName("name", good).ok());
  EXPECT_TRUE(CheckName("name", std::string(63, 'a')).ok());
  EXPECT_FALSE(CheckName("name", std::string(64, 'a')).ok());
  for (const char* bad : {"", ".a", "-a", "_a", "A", "a/b", "a b", "..", "\u00e9"}) {
    EXPECT_FALSE(CheckName("name", bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckName("name", std::string_view("a\0", 2)).ok());
  EXPECT_EQ(Field(CheckName("source", "")), "source");
}

}  // namespace
}  // namespace tally
