#include <memory>
#include <optional>
#include <string>

#include "CLI/Option.hpp"
#include "CLI/Validators.hpp"
#include "client/cli/atomic_file.h"
#include "client/cli/commands.h"
#include "client/cli/data_options.h"
#include "client/cli/exit_code.h"
#include "client/cli/fit_input.h"
#include "client/cli/plan_options.h"
#include "client/cli/progress.h"
#include "client/training/fit.h"
#include "core/checkpoint/checkpoint.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

// Values of --test.
constexpr char kTestEach[] = "each";
constexpr char kTestLast[] = "last";
constexpr char kTestNever[] = "never";

struct FitOptions {
  std::string source;
  DataOptions data;
  PlanOptions plan;
  std::optional<uint64_t> seed;
  std::optional<uint32_t> hold_out;
  std::string test = kTestEach;
  uint32_t threads = 1;
  std::string out;
};

// Training data, and what else was named.
struct LoadedData {
  Dataset train;
  std::optional<Dataset> held_out;
  std::optional<Dataset> test;
};

class FitPrinter : public FitObserver {
 public:
  FitPrinter(Output& output, uint64_t total_samples)
      : output_(output), total_(total_samples), progress_(output.err(), output.terminal()) {}

  void OnStep(uint64_t trained_samples, const EpochReport& running) override {
    progress_.Update({trained_samples, total_, running.train_correct * 1000 / running.train_total});
  }

  void OnEpoch(const EpochReport& report) override {
    progress_.Clear();
    std::string line =
        text::StrCat("epoch ", report.epoch + 1, ": loss ", report.train_loss, ", training ",
                     PercentText(report.train_correct, report.train_total));
    AppendShare(", held out ", report.held_out_correct, report.held_out_total, line);
    AppendShare(", test ", report.test_correct, report.test_total, line);
    output_.Line(line);
  }

 private:
  static void AppendShare(std::string_view name, uint32_t correct, uint32_t total,
                          std::string& line) {
    if (total == 0) return;
    text::StrAppend(&line, name, PercentText(correct, total), " (", correct, " of ", total, ")");
  }

  Output& output_;
  uint64_t total_;
  Progress progress_;
};

absl::StatusOr<LoadedData> LoadData(const FitOptions& options, const ModelSpec& spec) {
  TALLY_ASSIGN_OR_RETURN(const DatasetFiles files, FilesOf(options.data));
  if (!files.train.has_value()) {
    return absl::NotFoundError(text::StrCat(
        options.data.data, ": no training files there; name them with --images and --labels"));
  }
  LoadedData data;
  TALLY_ASSIGN_OR_RETURN(data.train, ReadFor(spec, *files.train, "training data"));
  if (options.hold_out.has_value()) {
    TALLY_ASSIGN_OR_RETURN(data.held_out, SplitOffLast(data.train, *options.hold_out));
  }
  if (files.test.has_value() && options.test != kTestNever) {
    TALLY_ASSIGN_OR_RETURN(data.test, ReadFor(spec, *files.test, "test data"));
  }
  return data;
}

absl::StatusOr<FitReport> Train(const FitOptions& options, Trainee& trainee,
                                const LoadedData& loaded, Output& output) {
  const ModelSpec& spec = trainee.learner().spec();
  absl::StatusOr<TrainingPlan> plan = PlanTraining(spec, loaded.train.count(), options.plan);
  if (!plan.ok()) return WithExitCode(plan.status(), ExitCode::kUsage);
  const auto maybe = [](const std::optional<Dataset>& part) { return part ? &*part : nullptr; };
  const FitData data{.train = loaded.train,
                     .test = maybe(loaded.test),
                     .held_out = maybe(loaded.held_out),
                     .test_last_only = options.test == kTestLast};
  FitPrinter printer(output, uint64_t{plan->epochs} * loaded.train.count());
  if (trainee.reference == nullptr) return Fit(*trainee.own, data, *plan, printer);
  if (options.plan.shuffle_seed.has_value() || options.plan.first_epoch != 0 ||
      options.plan.in_order) {
    return UsageError(
        "a reference profile has its own random stream from the first epoch on: "
        "leave out --shuffle-seed, --in-order and --first-epoch");
  }
  return FitReference(*trainee.reference, data, plan->epochs, printer);
}

JsonObject ResultOf(const FitReport& report, Learner& learner, const std::string& digest) {
  std::vector<JsonObject> epochs;
  for (const EpochReport& epoch : report.epochs) {
    JsonObject& object = epochs.emplace_back();
    object.Add("train_loss", epoch.train_loss)
        .Add("train_correct", epoch.train_correct)
        .Add("test_correct", epoch.test_correct);
    if (epoch.held_out_total > 0) object.Add("held_out_correct", epoch.held_out_correct);
  }
  return JsonObject()
      .Add("test_correct", report.epochs.back().test_correct)
      .Add("test_total", report.epochs.back().test_total)
      .Add("held_out_total", report.epochs.back().held_out_total)
      .Add("digest", digest)
      .Add("samples_per_second", report.SamplesPerSecond())
      .Add("train_total", report.epochs.back().train_total)
      .Add("step", learner.step())
      .Add("epochs", epochs);
}

absl::Status RunFit(const FitOptions& options, Context& context) {
  Output& output = context.output;
  TALLY_ASSIGN_OR_RETURN(Trainee trainee,
                         LoadTrainee(options.source, options.seed, options.threads));
  if (trainee.reference != nullptr && !options.out.empty()) {
    return UsageError(
        "a reference profile cannot be saved: its random stream is not part of a "
        "checkpoint; leave out --out");
  }
  Learner& learner = trainee.learner();
  TALLY_ASSIGN_OR_RETURN(const LoadedData data, LoadData(options, learner.spec()));
  TALLY_ASSIGN_OR_RETURN(const FitReport report, Train(options, trainee, data, output));
  const std::string digest = StateDigest(learner);
  if (!options.out.empty()) {
    TALLY_RETURN_IF_ERROR(WriteFileAtomically(options.out, EncodeCheckpoint(learner, {})));
    output.Line(text::StrCat("saved ", options.out));
  }
  output.Line(text::StrCat(report.SamplesPerSecond(), " samples/s, digest ", digest));
  output.Result(ResultOf(report, learner, digest));
  return absl::OkStatus();
}

}  // namespace

void AddFitCommand(CommandSet& commands) {
  auto options = std::make_shared<FitOptions>();
  CLI::App& command = commands.Add(
      {"fit", "Train a network here, without a daemon",
       "tally fit pocketnn/mnist-mlp --data mnist --epochs 3 --out digits.safetensors\n"
       "  tally fit door.yaml --images door.csv --test-images holdout.csv --json"},
      [options](Context& context) { return RunFit(*options, context); });
  command
      .add_option("spec", options->source,
                  "A spec in YAML, a network of the zoo (`tally zoo`), or a checkpoint "
                  "to go on from")
      ->required();
  AddDataOptions(command, options->data);
  AddTestDataOptions(command, options->data);
  AddPlanOptions(command, options->plan);
  command.add_option("--seed", options->seed,
                     "First weights, random roundings and order of the samples (default: the "
                     "spec's seed)");
  command.add_option(
      "--hold-out", options->hold_out,
      "Keep the last N training samples from training; predict them after every epoch");
  command
      .add_option("--test", options->test,
                  "When to predict the test data: after each epoch, after the last one, or never")
      ->check(CLI::IsMember({kTestEach, kTestLast, kTestNever}));
  command
      .add_option("--threads", options->threads,
                  "Threads that share each mini-batch (default 1); any number learns the same, and "
                  "small steps stay on one")
      ->check(CLI::Range(uint32_t{1}, uint32_t{WorkerPool::kThreadsMax}));
  command.add_option("--out", options->out, "Save the trained model; `tally import` takes it");
}

}  // namespace tally::cli
