// Goal: the whole way of a user through the real programs, and that the daemon learns exactly
// what `tally fit` learns.
// Method: the `tally` command as a process against a tallyd process; digests are compared with
// those of a learner trained in this process, and with `tally fit`.

#include <gtest/gtest.h>
#include <signal.h>

#include "client/cli/remote.h"
#include "client/cli/spec_yaml.h"
#include "core/arithmetic/shuffle.h"
#include "tests/daemon/e2e/process.h"
#include "tests/daemon/e2e/small_world.h"
#include "tests/daemon/e2e/training_under_watch.h"
#include "tests/support/each_algorithm.h"

namespace tally::e2e {
namespace {

class FlowTest : public testing::EachAlgorithmTest {
 protected:
  FlowTest() { daemon_.Start(); }

  TallyResult Tally(std::vector<std::string> arguments, int exit_code = 0) {
    TallyResult result = RunTally(daemon_, std::move(arguments));
    EXPECT_EQ(result.exit_code, exit_code) << result.out << result.err << daemon_.log();
    return result;
  }

  // A spec file, a data set in files and a model made of the spec.
  void Prepare(const ModelSpec& spec, uint32_t samples) {
    train_ = SmallData(samples);
    WriteDataset(train_, SmallData(101, 2), data());
    WriteFile(spec_file(), cli::SpecAsYaml(spec));
    Tally({"create", "small", "--spec", spec_file()});
  }

  std::string data() const { return daemon_.File("data"); }
  std::string spec_file() const { return daemon_.File("small.yaml"); }

  Daemon daemon_;
  Dataset train_;
};

TEST_P(FlowTest, TrainingThroughTheDaemonGivesTheDigestOfFit) {
  const std::vector<std::pair<ModelSpec, uint32_t>> cases = {
      {SmallSpec(GetParam()), 53},           // ends with a partial mini-batch
      {SmallSpec(GetParam()), 56},           // does not
      {SmallSpec(GetParam()), 6},            // less than one mini-batch
      {OtherSpec(GetParam()), 101},          // prime
      {CalibratedSpec(GetParam(), 53), 53},  // calibrated by exactly one epoch
      {CalibratedSpec(GetParam(), 20), 53},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    Prepare(cases[i].first, cases[i].second);
    if (HasFatalFailure()) return;
    const auto fit = RunTally(
        {"fit", spec_file(), "--data", data(), "--epochs", "3", "--shuffle-seed", "9", "--json"});
    ASSERT_EQ(fit.exit_code, 0) << fit.err;
    ASSERT_EQ(fit.Json("digest").size(), 64u) << fit.out;
    const auto train = Tally({"train", "small", "--data", data(), "--epochs", "3", "--shuffle-seed",
                              "9", "--batch-rows", std::to_string(1 + 3 * i)});
    EXPECT_EQ(train.Json("digest"), fit.Json("digest"));
    EXPECT_EQ(train.Json("seen"), std::to_string(3 * cases[i].second));
    EXPECT_EQ(Tally({"digest", "small"}).Json("digest"), fit.Json("digest"));
    const auto evaluate = Tally({"evaluate", "small", "--data", data()});
    EXPECT_EQ(evaluate.Json("digest"), fit.Json("digest"));
    EXPECT_EQ(evaluate.Json("test_correct"), fit.Json("test_correct"));
    EXPECT_EQ(evaluate.Json("test_total"), "101");
    EXPECT_FALSE(evaluate.Json("samples_per_second").empty());
    Tally({"delete", "small"});
  }
}

TEST_P(FlowTest, EpochsAndShuffleSeedDefaultToTheSpec) {
  Prepare(SmallSpec(GetParam()), 53);
  const auto fit = RunTally({"fit", spec_file(), "--data", data(), "--json"});
  const auto train = Tally({"train", "small", "--data", data()});
  EXPECT_EQ(train.Json("digest"), fit.Json("digest"));
  EXPECT_EQ(train.Json("epochs"), std::to_string(ScheduleEpochs(SmallSpec(GetParam()), 53)));
}

TEST_P(FlowTest, ARerunWithTheSameSourceGoesOnWhereTheDaemonStands) {
  Prepare(SmallSpec(GetParam()), 53);
  const TrainingPlan plan{.epochs = 4, .shuffle_seed = 5};
  const std::string expected = ExpectedDigest(SmallSpec(GetParam()), train_, plan);
  // The first run stops inside, at and right behind each border, as if it had been killed there:
  // after the last sample of an epoch before its flush (53, 106), in the middle, after the first
  // sample of the next.
  uint64_t sent = 0;
  for (const uint64_t stop : {20u, 53u, 54u, 106u, 130u}) {
    auto session = TrainSession::Open(daemon_.client(), {.model = "small", .source = "rerun"});
    ASSERT_TRUE(session.ok());
    ASSERT_EQ((*session)->next_sequence(), sent + 1);
    while (sent < stop) {
      const auto order = EpochOrder(5, static_cast<uint32_t>(sent / 53), 53);
      // What a run does first of all: the flush of the epoch behind it.
      if (sent > 0 && sent % 53 == 0) {
        ASSERT_TRUE(daemon_.client().Flush("small").ok());
      }
      const uint32_t index = order[sent % 53];
      ASSERT_TRUE((*session)
                      ->Send(RowBytes(train_, index, index + 1), std::vector{train_.labels[index]})
                      .ok());
      ++sent;
    }
    ASSERT_TRUE((*session)->Finish().ok());
  }
  const auto train =
      Tally({"train", "small", "--data", data(), "--epochs", "4", "--source", "rerun"});
  EXPECT_EQ(train.Json("digest"), expected);
  EXPECT_EQ(train.Json("samples_skipped"), "130");
  EXPECT_EQ(train.Json("seen"), "212");
  // Once more: everything is there already, and the repeated flush changes nothing.
  const auto again =
      Tally({"train", "small", "--data", data(), "--epochs", "4", "--source", "rerun"});
  EXPECT_EQ(again.Json("digest"), expected);
  EXPECT_EQ(again.Json("samples_sent"), "0");
  EXPECT_EQ(again.Json("seen"), "212");
  // Fewer epochs than the daemon has: refused, not guessed.
  Tally({"train", "small", "--data", data(), "--epochs", "2", "--source", "rerun"}, 69);
}

TEST_P(FlowTest, ARerunThatStandsAtAnEpochsEndFlushesItFirst) {
  Prepare(SmallSpec(GetParam()), 53);
  const auto order = EpochOrder(5, 0, 53);
  {
    auto session = TrainSession::Open(daemon_.client(), {.model = "small", .source = "rerun"});
    ASSERT_TRUE(session.ok());
    SampleBuffer buffer;
    buffer.Gather(train_, order);
    ASSERT_TRUE((*session)
                    ->Send(std::string(reinterpret_cast<const char*>(buffer.rows().data()),
                                       buffer.rows().size()),
                           buffer.labels())
                    .ok());
    ASSERT_TRUE((*session)->Finish().ok());
  }
  const auto train =
      Tally({"train", "small", "--data", data(), "--epochs", "2", "--source", "rerun"});
  EXPECT_EQ(train.Json("digest"),
            ExpectedDigest(SmallSpec(GetParam()), train_, {.epochs = 2, .shuffle_seed = 5}));
}

TEST_P(FlowTest, AFlushRightAfterTheLastCalibrationSampleIsNotRefused) {
  // The trainer may still be calibrating; the samples it needs are there.
  const Dataset dataset = SmallData(4000);
  v1::TrainRequest request;
  request.set_source("s");
  request.set_durability(v1::DURABILITY_BUFFERED);
  request.mutable_samples()->set_first_sequence(1);
  request.mutable_samples()->set_rows(RowBytes(dataset, 0, 4000));
  request.mutable_samples()->mutable_labels()->Assign(dataset.labels.begin(), dataset.labels.end());
  for (int i = 0; i < 12; ++i) {
    request.set_model("m" + std::to_string(i));
    const auto spec = cli::SpecToMessage(CalibratedSpec(GetParam(), 4000));
    ASSERT_TRUE(daemon_.client().Create(request.model(), spec).ok());
    ASSERT_TRUE(daemon_.client().Train(request).ok());
    const auto flush = daemon_.client().Flush(request.model());
    ASSERT_TRUE(flush.ok()) << flush.status();
    EXPECT_EQ(flush->prequential().seen(), 4000u);
  }
}

TEST_P(FlowTest, TheTrainCommandSurvivesKillsOfTheDaemonAndOfItself) {
  Prepare(SmallSpec(GetParam()), 2003);
  const std::string expected =
      ExpectedDigest(SmallSpec(GetParam()), train_, {.epochs = 30, .shuffle_seed = 5});
  const std::vector<std::string> command = {
      TALLY_PATH, "train",  "small",  "--data",       data(), "--epochs", "30",
      "--source", "killed", "--json", "--batch-rows", "20",   "--server", daemon_.address()};
  const std::string out = daemon_.File("train.out");
  for (int round = 0; round < 3; ++round) {
    const uint64_t target = 10000u * static_cast<uint64_t>(round + 1);
    const pid_t client = Spawn(command, out, out);
    const auto wait = [&](uint64_t samples) {
      while (daemon_.client().GetSource("small", "killed")->accepted_through() < samples) {
      }
    };
    wait(target - 5000);
    daemon_.Kill();
    daemon_.Start();
    wait(target);
    kill(client, SIGKILL);
    WaitFor(client);
  }
  const auto train =
      Tally({"train", "small", "--data", data(), "--epochs", "30", "--source", "killed"});
  EXPECT_EQ(train.Json("digest"), expected);
  EXPECT_EQ(train.Json("seen"), "60090");
}

TEST_P(FlowTest, StatusAndModelsShowWhatIsThere) {
  Prepare(SmallSpec(GetParam()), 53);
  const auto status = Tally({"status"});
  EXPECT_EQ(status.Json("live"), "true");
  EXPECT_EQ(status.Json("ready"), "true");
  const auto models = Tally({"models"});
  EXPECT_NE(models.out.find("\"name\":\"small\""), std::string::npos) << models.out;
  EXPECT_NE(models.out.find("\"state\":\"READY\""), std::string::npos) << models.out;
}

TEST_P(FlowTest, ExportedAndImportedModelsAreTheSameModel) {
  Prepare(SmallSpec(GetParam()), 53);
  const auto train = Tally({"train", "small", "--data", data(), "--epochs", "2"});
  const std::string file = daemon_.File("small.safetensors");
  const auto exported = Tally({"export", "small", "--out", file});
  EXPECT_EQ(exported.Json("digest"), train.Json("digest"));
  Tally({"import", file, "--name", "copy"});
  EXPECT_EQ(Tally({"digest", "copy"}).Json("digest"), train.Json("digest"));
  Tally({"import", file}, 73);  // the name in the file is taken
  // Both go on learning the same.
  const auto more = [&](const std::string& model) {
    return Tally({"train", model, "--data", data(), "--epochs", "1", "--first-epoch", "2"})
        .Json("digest");
  };
  EXPECT_EQ(more("small"), more("copy"));
  // And the copy goes out and in again unchanged.
  const std::string second = daemon_.File("second.safetensors");
  Tally({"export", "copy", "--out", second});
  Tally({"delete", "copy"});
  Tally({"import", second});
  EXPECT_EQ(Tally({"digest", "copy"}).Json("digest"), Tally({"digest", "small"}).Json("digest"));
}

TEST_P(FlowTest, WhatFitSavesTheDaemonImportsAndContinues) {
  Prepare(SmallSpec(GetParam()), 53);
  const std::string file = daemon_.File("fit.safetensors");
  const auto fit =
      RunTally({"fit", spec_file(), "--data", data(), "--epochs", "2", "--out", file, "--json"});
  ASSERT_EQ(fit.exit_code, 0) << fit.err;
  Tally({"import", file, "--name", "fitted"});
  EXPECT_EQ(Tally({"digest", "fitted"}).Json("digest"), fit.Json("digest"));
  const auto more =
      Tally({"train", "fitted", "--data", data(), "--epochs", "2", "--first-epoch", "2"});
  EXPECT_EQ(more.Json("digest"),
            ExpectedDigest(SmallSpec(GetParam()), train_, {.epochs = 4, .shuffle_seed = 5}));
}

TEST_P(FlowTest, PredictAgreesWithEvaluate) {
  Prepare(SmallSpec(GetParam()), 203);
  Tally({"train", "small", "--data", data(), "--epochs", "5"});
  const Dataset test = SmallData(101, 2);
  const auto predict = Tally(
      {"predict", "small", "--images", data() + "/t10k-images-idx3-ubyte", "--count", "1000"});
  // One object a sample, in order: {"index":0,"class":2,...
  uint32_t correct = 0;
  for (uint32_t i = 0; i < test.count(); ++i) {
    const std::string wanted =
        "{\"index\":" + std::to_string(i) + ",\"class\":" + std::to_string(test.labels[i]) + ",";
    if (predict.out.find(wanted) != std::string::npos) ++correct;
  }
  EXPECT_EQ(Tally({"evaluate", "small", "--data", data()}).Json("test_correct"),
            std::to_string(correct));
  EXPECT_GT(correct, 60u) << "the small world is learnable";
  EXPECT_NE(predict.out.find("\"label\":\"north\""), std::string::npos);
  const auto one =
      Tally({"predict", "small", "--images", data() + "/t10k-images-idx3-ubyte", "--index", "100"});
  EXPECT_NE(one.out.find("\"index\":100"), std::string::npos);
  Tally({"predict", "small", "--images", data() + "/t10k-images-idx3-ubyte", "--index", "101"}, 64);
}

TEST_P(FlowTest, RollbackBringsBackAKeptGenerationAndTrainingGoesOnFromThere) {
  Prepare(SmallSpec(GetParam()), 53);
  Tally({"train", "small", "--data", data(), "--epochs", "1", "--source", "a"});
  Tally({"checkpoint", "small"});
  const uint64_t saved = daemon_.client().ListCheckpoints("small")->back().position();
  const auto before = Tally({"digest", "small"});
  Tally({"train", "small", "--data", data(), "--epochs", "2", "--source", "a"});
  const std::string later = Tally({"digest", "small"}).Json("digest");
  EXPECT_NE(later, before.Json("digest"));
  Tally({"rollback", "small", std::to_string(saved)});
  EXPECT_EQ(Tally({"digest", "small"}).Json("digest"), before.Json("digest"));
  // The same samples under another name lead to the same weights again.
  Tally(
      {"train", "small", "--data", data(), "--epochs", "1", "--first-epoch", "1", "--source", "b"});
  EXPECT_EQ(Tally({"digest", "small"}).Json("digest"), later);
  // All of it survives a restart.
  daemon_.Kill();
  daemon_.Start();
  EXPECT_EQ(daemon_.client().Digest("small")->state_digest(), later);
}

TEST_P(FlowTest, DeletedModelsAreGoneAlsoAfterARestart) {
  Prepare(SmallSpec(GetParam()), 53);
  Tally({"delete", "small"});
  Tally({"digest", "small"}, 66);
  daemon_.Kill();
  daemon_.Start();
  EXPECT_EQ(daemon_.client().Get("small").status().code(), absl::StatusCode::kNotFound);
}

TEST_P(FlowTest, ErrorsOfTheDaemonBecomeExitCodes) {
  Prepare(SmallSpec(GetParam()), 53);
  Tally({"create", "small", "--spec", spec_file()}, 73);
  Tally({"create", "other", "--zoo", "pocketnn/mnist-mpl"}, 66);
  Tally({"create", "Big Name", "--spec", spec_file()}, 65);
  Tally({"create", "other"}, 64);
  Tally({"train", "nobody", "--data", data()}, 66);
  Tally({"train", "small", "--data", "/nonexistent"}, 66);
  Tally({"rollback", "small", "12345"}, 66);
  EXPECT_EQ(RunTally({"status", "--server", "nonsense"}).exit_code, 65);
  EXPECT_EQ(RunTally({"status", "--server", "unix:/nonexistent"}).exit_code, 69);
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, FlowTest, testing::EachAlgorithm(), testing::AlgorithmName);

}  // namespace
}  // namespace tally::e2e
