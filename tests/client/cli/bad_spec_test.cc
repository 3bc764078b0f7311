// Goal: no bad spec file is accepted by `tally fit`; each error has the file, the line where there
// is one, and what was expected, and the exit code says "configuration". Method: one good file; a
// table of named changes to it.

#include <gtest/gtest.h>

#include "core/text/value.h"
#include "tests/client/cli/run_tally.h"
#include "tests/support/temporary_folder.h"

namespace tally::cli {
namespace {

constexpr char kGoodSpec[] = R"(name: door
algorithm: pocketnn
input:
  shape: [4]
  type: uint8
classes: 2
layers:
  - {units: 3, activation: pocket_tanh}
  - {units: 2, activation: pocket_tanh}
learning_rate:
  - {from_step: 0, inverse: 100}
schedule_steps: 10
)";

struct BadSpec {
  const char* name;
  std::string from;  // replaced in the good file by `to`; empty: the whole file is `to`
  std::string to;
  std::vector<const char*> message_parts;
};

std::string Changed(const BadSpec& bad) {
  if (bad.from.empty()) return bad.to;
  std::string yaml = kGoodSpec;
  const size_t at = yaml.find(bad.from);
  EXPECT_NE(at, std::string::npos);
  return yaml.replace(at, bad.from.size(), bad.to);
}

void PrintTo(const BadSpec& bad, std::ostream* out) { *out << bad.name; }

class BadSpecTest : public testing::TestWithParam<BadSpec> {};

TEST_P(BadSpecTest, IsRefusedWithPlaceAndReason) {
  const TemporaryFolder folder;
  const std::string spec = folder.Write("spec.yaml", Changed(GetParam()));
  const RunResult result =
      RunTally({"fit", spec, "--images", folder.Write("a.csv", "1,2,3,4,0\n"), "--json"});
  EXPECT_EQ(result.exit_code, 78) << result.err;
  EXPECT_NE(result.out.find("\"code\":\"INVALID_ARGUMENT\""), std::string::npos) << result.out;
  for (const char* const part : GetParam().message_parts) {
    EXPECT_NE(result.err.find(part), std::string::npos)
        << "no \"" << part << "\" in: " << result.err;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadSpecTest,
    testing::Values(
        BadSpec{"MisspeltRequiredKey",
                "classes: 2",
                "classses: 2",
                {"spec.yaml:6", "classses", "misspelling"}},
        BadSpec{"UnknownKey",
                "name: door",
                "nmae: door",
                {"spec.yaml:1", "nmae", "unknown key; did you mean name?"}},
        BadSpec{"UnknownInnerKey", "type: uint8", "typ: uint8", {"spec.yaml:5", "typ", "type"}},
        BadSpec{"DuplicateKey", "classes: 2", "classes: 2\nclasses: 2", {"spec.yaml:7", "classes"}},
        BadSpec{"FloatingPoint", "inverse: 100", "inverse: 0.5", {"spec.yaml:11", "0.5"}},
        BadSpec{
            "OctalLooking", "schedule_steps: 10", "schedule_steps: 010", {"spec.yaml:12", "010"}},
        BadSpec{"WrongType", "classes: 2", "classes: two", {"spec.yaml:6", "classes", "two"}},
        BadSpec{"TooFewClasses", "classes: 2", "classes: 1", {"spec.yaml:6", "classes", "1"}},
        BadSpec{"ClassesDisagreeWithLastLayer", "classes: 2", "classes: 3", {"classes", "3", "2"}},
        BadSpec{"MissingKey", "classes: 2\n", "", {"classes"}},
        BadSpec{"UnknownAlgorithm", "pocketnn", "backprop", {"backprop", "pocketnn"}},
        BadSpec{"UnknownActivation",
                "3, activation: pocket_tanh",
                "3, activation: softmax",
                {"spec.yaml:8", "softmax", "pocket_tanh"}},
        BadSpec{"UnknownElementType",
                "type: uint8",
                "type: float32",
                {"spec.yaml:5", "float32", "uint8"}},
        BadSpec{"ZeroDimension", "shape: [4]", "shape: [0]", {"spec.yaml:4", "shape", "0"}},
        BadSpec{"TooManyDimensions", "shape: [4]", "shape: [1, 1, 1, 1, 4]", {"shape"}},
        BadSpec{"InputTooLarge", "shape: [4]", "shape: [65536, 65536]", {"shape"}},
        BadSpec{"EmptyLayers",
                "layers:\n  - {units: 3, activation: pocket_tanh}\n  - {units: 2, activation: "
                "pocket_tanh}",
                "layers: []",
                {"layers"}},
        BadSpec{"ZeroRate", "inverse: 100", "inverse: 0", {"spec.yaml:11", "inverse", "0"}},
        BadSpec{"RateStartsLate", "from_step: 0", "from_step: 5", {"from_step", "5"}},
        BadSpec{"CalibrationWithoutSamples",
                "classes: 2",
                "classes: 2\npreprocessing: {kind: calibrated}",
                {"calibration_samples"}},
        BadSpec{"WeightLimitTooLarge",
                "classes: 2",
                "classes: 2\npocketnn: {weight_limit: 40000}",
                {"weight_limit", "40000", "32767"}},
        BadSpec{"NotYaml", "", "{classes: [", {"spec.yaml"}},
        BadSpec{"EmptyFile", "", "", {"algorithm"}},
        BadSpec{"Anchors", "shape: [4]", "shape: &s [4]", {"spec.yaml:4"}}),
    [](const auto& info) { return info.param.name; });

TEST(GoodSpecTest, TheUnchangedFileTrains) {
  const TemporaryFolder folder;
  const RunResult result = RunTally({"fit", folder.Write("spec.yaml", kGoodSpec), "--images",
                                     folder.Write("a.csv", "1,2,3,4,0\n9,8,7,6,1\n"), "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

}  // namespace
}  // namespace tally::cli
