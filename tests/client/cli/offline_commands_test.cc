// Goal: fit, zoo, inspect and synth work end to end, and what they save and print agrees.
// Method: the command line run in this process on a small set of drawn digits.

#include <gtest/gtest.h>

#include "client/cli/spec_yaml.h"
#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/value.h"
#include "tests/client/cli/run_tally.h"
#include "tests/support/temporary_folder.h"

namespace tally::cli {
namespace {

// The text of "key": from a JSON line; numbers and strings only.
std::string Field(const std::string& json, const std::string& key) {
  const size_t at = json.find("\"" + key + "\":");
  if (at == std::string::npos) return "";
  const size_t start = at + key.size() + 3;
  const bool quoted = json[start] == '"';
  const size_t end = quoted ? json.find('"', start + 1) : json.find_first_of(",}", start);
  return quoted ? json.substr(start + 1, end - start - 1) : json.substr(start, end - start);
}

class OfflineCommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    const RunResult result = RunTally(
        {"synth", "--out", Data(), "--train", "405", "--test", "50", "--seed", "2", "--json"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(Field(result.LastLine(), "train"), "405");
  }

  std::string Data() const { return folder_.Path("digits"); }
  std::string Out(const std::string& name) const { return folder_.Path(name); }

  // 405 samples make whole mini-batches and one of 5 rows an epoch.
  static std::string StepsOf(uint64_t epochs) {
    return std::to_string(epochs * (405 / ZooSpec("pocketnn/mnist-mlp")->batch_size + 1));
  }

  RunResult Fit(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"fit", "pocketnn/mnist-mlp", "--data", Data(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTally(arguments);
  }

  TemporaryFolder folder_;
};

TEST_F(OfflineCommandsTest, FitPrintsOneJsonObjectWithNumbers) {
  const RunResult result = Fit({"--epochs", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 1) << result.out;
  const auto json = text::ParseJson(result.LastLine(), "stdout");
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(Field(result.out, "test_total"), "50");
  EXPECT_EQ(Field(result.out, "digest").size(), 64u);
  EXPECT_EQ(Field(result.out, "step"), StepsOf(2));
  EXPECT_NE(result.out.find("\"epochs\":[{\"train_loss\":"), std::string::npos);
  EXPECT_NE(Field(result.out, "samples_per_second"), "0");
}

TEST_F(OfflineCommandsTest, FitGivesTheSameDigestEveryTime) {
  const std::string first = Field(Fit({"--epochs", "1"}).out, "digest");
  EXPECT_EQ(Field(Fit({"--epochs", "1", "--shuffle-seed", "1"}).out, "digest"), first);
  EXPECT_NE(Field(Fit({"--epochs", "1", "--shuffle-seed", "2"}).out, "digest"), first);
}

TEST_F(OfflineCommandsTest, TheSavedCheckpointHoldsTheDigestThatWasPrinted) {
  const RunResult fit = Fit({"--epochs", "1", "--out", Out("m.safetensors")});
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  const RunResult inspect = RunTally({"inspect", Out("m.safetensors"), "--json"});
  ASSERT_EQ(inspect.exit_code, 0) << inspect.err;
  EXPECT_TRUE(text::ParseJson(inspect.LastLine(), "stdout").ok());
  EXPECT_EQ(Field(inspect.out, "digest"), Field(fit.out, "digest"));
  EXPECT_EQ(Field(inspect.out, "step"), StepsOf(1));
  EXPECT_EQ(Field(inspect.out, "name"), "mnist-mlp");
  EXPECT_EQ(Field(inspect.out, "file_digest"), *FileDigestOf(folder_.Read("m.safetensors")));
  const RunResult text = RunTally({"inspect", Out("m.safetensors")});
  EXPECT_NE(text.out.find(Field(fit.out, "digest")), std::string::npos);
  EXPECT_NE(text.out.find("layer1.weight int16 [784,100], 156800 bytes"), std::string::npos)
      << text.out;
}

TEST_F(OfflineCommandsTest, GoingOnFromACheckpointEqualsOneRun) {
  const std::string whole = Field(Fit({"--epochs", "3"}).out, "digest");
  ASSERT_EQ(Fit({"--epochs", "1", "--out", Out("part")}).exit_code, 0);
  const RunResult rest = RunTally(
      {"fit", Out("part"), "--data", Data(), "--epochs", "2", "--first-epoch", "1", "--json"});
  ASSERT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_EQ(Field(rest.out, "digest"), whole);
}

TEST_F(OfflineCommandsTest, HeldOutSamplesAreTheLastOnesAndAreNotTrained) {
  const RunResult fit = Fit({"--epochs", "2", "--hold-out", "105", "--test", "last"});
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  EXPECT_EQ(Field(fit.out, "train_total"), "300");
  EXPECT_EQ(Field(fit.out, "held_out_total"), "105");
  EXPECT_EQ(Field(fit.out, "test_total"), "50");
  const std::string epochs = fit.out.substr(fit.out.find("\"epochs\":"));
  EXPECT_EQ(Field(epochs, "test_correct"), "0") << "the first epoch is not tested";
  EXPECT_NE(Field(epochs, "held_out_correct"), "");
  EXPECT_EQ(Field(Fit({"--epochs", "1", "--test", "never"}).out, "test_total"), "0");
  EXPECT_EQ(Fit({"--epochs", "1", "--test", "sometimes"}).exit_code, 64);
  for (const char* all : {"0", "405", "4000000000"}) {
    const RunResult refused = Fit({"--epochs", "1", "--hold-out", all});
    EXPECT_EQ(refused.exit_code, 65) << all;
    EXPECT_NE(refused.err.find("of 405 samples, expected 1 to 404"), std::string::npos)
        << refused.err;
  }
}

TEST_F(OfflineCommandsTest, ASeedGoesBeforeTheSpecsButNotBeforeACheckpoints) {
  const std::string first = Field(Fit({"--epochs", "1"}).out, "digest");
  EXPECT_EQ(Field(Fit({"--epochs", "1", "--seed", "1"}).out, "digest"), first);
  EXPECT_NE(Field(Fit({"--epochs", "1", "--seed", "2", "--out", Out("two")}).out, "digest"), first);
  const RunResult refused =
      RunTally({"fit", Out("two"), "--data", Data(), "--epochs", "1", "--seed", "1"});
  EXPECT_EQ(refused.exit_code, 64);
  EXPECT_NE(refused.err.find("leave out --seed"), std::string::npos) << refused.err;
}

TEST_F(OfflineCommandsTest, AnyNumberOfThreadsFitsTheSame) {
  // Mini-batches that are worth sharing.
  ModelSpec spec = *ZooSpec("pocketnn/mnist-mlp");
  spec.batch_size = 64;
  const std::string yaml = folder_.Write("large.yaml", SpecAsYaml(spec));
  const auto fit = [&](const std::string& from, const std::string& threads) {
    return RunTally({"fit", from, "--data", Data(), "--epochs", "1", "--threads", threads, "--json",
                     "--out", Out("threads" + threads)});
  };
  const std::string alone = Field(fit(yaml, "1").out, "digest");
  ASSERT_NE(alone, "");
  EXPECT_EQ(Field(fit(yaml, "2").out, "digest"), alone);
  EXPECT_EQ(Field(fit(yaml, "5").out, "digest"), alone);
  // Going on from a checkpoint too.
  EXPECT_EQ(Field(fit(Out("threads2"), "3").out, "digest"),
            Field(fit(Out("threads5"), "1").out, "digest"));
  for (const char* wrong : {"0", "65", "two"}) EXPECT_EQ(fit(yaml, wrong).exit_code, 64) << wrong;
}

TEST_F(OfflineCommandsTest, InOrderIsAnOrderOfItsOwn) {
  const RunResult in_order = Fit({"--epochs", "1", "--in-order"});
  ASSERT_EQ(in_order.exit_code, 0) << in_order.err;
  EXPECT_NE(Field(in_order.out, "digest"), Field(Fit({"--epochs", "1"}).out, "digest"));
  EXPECT_EQ(Fit({"--epochs", "1", "--in-order", "--shuffle-seed", "1"}).exit_code, 64);
}

TEST_F(OfflineCommandsTest, FilesAndFolderNameTheSameData) {
  const std::string by_folder = Field(Fit({"--epochs", "1"}).out, "digest");
  const RunResult by_file = RunTally({"fit", "pocketnn/mnist-mlp", "--epochs", "1", "--json",
                                      "--images", Data() + "/train-images-idx3-ubyte", "--labels",
                                      Data() + "/train-labels-idx1-ubyte"});
  ASSERT_EQ(by_file.exit_code, 0) << by_file.err;
  EXPECT_EQ(Field(by_file.out, "digest"), by_folder);
  EXPECT_EQ(Field(by_file.out, "test_total"), "0");
}

TEST_F(OfflineCommandsTest, ASpecFromTheZooReadsBackFromYaml) {
  for (const std::string& name : ZooNames()) {
    const RunResult zoo = RunTally({"zoo", name});
    ASSERT_EQ(zoo.exit_code, 0);
    const auto spec = ModelSpecFromYaml(zoo.out, "zoo");
    ASSERT_TRUE(spec.ok()) << spec.status() << "\n" << zoo.out;
    EXPECT_EQ(CanonicalSpec(*spec), CanonicalSpec(*ZooSpec(name)));
    EXPECT_EQ(spec->name, ZooSpec(name)->name);
  }
  const std::string yaml = folder_.Write("mine.yaml", RunTally({"zoo", "pocketnn/mnist-mlp"}).out);
  const RunResult fit = RunTally({"fit", yaml, "--data", Data(), "--epochs", "1", "--json"});
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  EXPECT_EQ(Field(fit.out, "digest"), Field(Fit({"--epochs", "1"}).out, "digest"));
}

TEST(SpecYamlTest, QuotesWordsThatYamlWouldTakeForSomethingElse) {
  ModelSpec spec = *ZooSpec("pocketnn/mnist-mlp");
  spec.labels = {"no", "true", "null", "12", "a: b", "[x", "-", "~", "Über", "q\"t"};
  const auto read = ModelSpecFromYaml(SpecAsYaml(spec), "yaml");
  ASSERT_TRUE(read.ok()) << read.status() << "\n" << SpecAsYaml(spec);
  EXPECT_EQ(read->labels, spec.labels);
}

TEST_F(OfflineCommandsTest, ZooListsEveryNetwork) {
  const RunResult text = RunTally({"zoo"});
  const RunResult json = RunTally({"zoo", "--json"});
  EXPECT_TRUE(text::ParseJson(json.LastLine(), "stdout").ok());
  for (const std::string& name : ZooNames()) {
    EXPECT_NE(text.out.find(name), std::string::npos);
    EXPECT_NE(json.out.find("\"" + name + "\""), std::string::npos);
  }
}

TEST_F(OfflineCommandsTest, TheReferenceProfileRunsAndCannotBeSavedOrReordered) {
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {
        "fit", "pocketnn/reference-mnist", "--data", Data(), "--epochs", "1", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTally(arguments);
  };
  const RunResult result = run({});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(Field(result.out, "train_total"), "400");  // the partial mini-batch is dropped
  EXPECT_EQ(run({"--out", Out("x")}).exit_code, 64);
  EXPECT_FALSE(std::filesystem::exists(Out("x")));
  EXPECT_EQ(run({"--shuffle-seed", "3"}).exit_code, 64);
  EXPECT_EQ(run({"--threads", "2"}).exit_code, 64);
}

TEST_F(OfflineCommandsTest, EqualSeedsDrawEqualFiles) {
  ASSERT_EQ(
      RunTally({"synth", "--out", Out("again"), "--train", "405", "--test", "50", "--seed", "2"})
          .exit_code,
      0);
  for (const std::string name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                 "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) {
    EXPECT_EQ(folder_.Read("again/" + name), folder_.Read("digits/" + name)) << name;
    EXPECT_NE(folder_.Read("again/" + name), "") << name;
  }
}

TEST_F(OfflineCommandsTest, BadInputsHaveTheirExitCodes) {
  EXPECT_EQ(RunTally({"fit", "pocketnn/mnist-mpl", "--data", Data()}).exit_code, 66);
  EXPECT_NE(
      RunTally({"fit", "pocketnn/mnist-mpl", "--data", Data()}).err.find("pocketnn/mnist-mlp"),
      std::string::npos);
  EXPECT_EQ(RunTally({"fit", "pocketnn/mnist-mlp"}).exit_code, 64);
  EXPECT_EQ(RunTally({"fit", "pocketnn/mnist-mlp", "--labels", "x"}).exit_code, 64);
  EXPECT_EQ(Fit({"--test-labels", "x"}).exit_code, 64);
  EXPECT_EQ(Fit({"--epochs", "0"}).exit_code, 64);
  EXPECT_EQ(RunTally({"fit", "pocketnn/mnist-mlp", "--data", Out("gone")}).exit_code, 66);
  EXPECT_EQ(RunTally({"inspect", Out("gone")}).exit_code, 66);
  EXPECT_EQ(RunTally({"inspect", Data() + "/t10k-labels-idx1-ubyte"}).exit_code, 65);
  EXPECT_EQ(RunTally({"zoo", "nothing"}).exit_code, 66);
  EXPECT_EQ(Fit({"--epochs", "1", "--out", Out("no/such/folder")}).exit_code, 74);
  EXPECT_EQ(RunTally({"synth", "--out", Out("no/such/folder")}).exit_code, 73);
  folder_.Write("digits/train-labels-idx1-ubyte", "broken");
  const RunResult broken = Fit({});
  EXPECT_EQ(broken.exit_code, 65);
  EXPECT_NE(broken.LastLine().find("\"code\":\"INVALID_ARGUMENT\""), std::string::npos);
  EXPECT_NE(broken.err.find("train-labels-idx1-ubyte: byte 0"), std::string::npos) << broken.err;
}

TEST_F(OfflineCommandsTest, ADamagedCheckpointIsRefused) {
  ASSERT_EQ(Fit({"--epochs", "1", "--out", Out("m")}).exit_code, 0);
  std::string bytes = folder_.Read("m");
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
  folder_.Write("m", bytes);
  for (const RunResult& result : {RunTally({"inspect", Out("m"), "--json"}),
                                  RunTally({"fit", Out("m"), "--data", Data(), "--json"})}) {
    EXPECT_EQ(result.exit_code, 65);
    EXPECT_NE(result.LastLine().find("\"code\":\"DATA_LOSS\""), std::string::npos) << result.out;
  }
}

}  // namespace
}  // namespace tally::cli
