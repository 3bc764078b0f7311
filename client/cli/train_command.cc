#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "CLI/Option.hpp"
#include "CLI/Validators.hpp"
#include "client/cli/commands.h"
#include "client/cli/data_options.h"
#include "client/cli/exit_code.h"
#include "client/cli/model_wait.h"
#include "client/cli/plan_options.h"
#include "client/cli/progress.h"
#include "client/cli/remote.h"
#include "client/cli/remote_training.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

// A restart of the daemon, its replay included, is waited for so long.
constexpr std::chrono::milliseconds kPatience = std::chrono::minutes(10);

struct TrainOptions {
  RemoteOptions remote;
  WaitOptions wait;
  std::string model;
  DataOptions data;
  PlanOptions plan;
  std::string source;
  std::string durability;
  uint32_t batch_rows = 0;
};

// Draws on the session's threads and on the command's: one at a time.
class TrainPrinter : public RemoteTrainingObserver {
 public:
  TrainPrinter(Output& output, uint64_t total)
      : output_(output), total_(total), progress_(output.err(), output.terminal()) {}

  void OnProgress(const TrainProgress& progress) override {
    const std::lock_guard lock(mutex_);
    progress_.Update({std::min(progress.source.trained_through(), total_), total_,
                      progress.prequential.recent_permille()});
  }

  void OnInterruption(const absl::Status& cause, std::chrono::milliseconds delay) override {
    const std::lock_guard lock(mutex_);
    progress_.Clear();
    output_.Line(
        text::StrCat("interrupted: ", cause.message(), "; next attempt in ", delay.count(), " ms"));
  }

  void OnEpoch(uint32_t epoch, const v1::FlushResponse& flush) override {
    const std::lock_guard lock(mutex_);
    progress_.Clear();
    output_.Line(text::StrCat("epoch ", epoch + 1, ": step ", flush.step(), ", recent accuracy ",
                              PercentText(flush.prequential().recent_permille(), 1000), ", digest ",
                              flush.state_digest()));
  }

 private:
  Output& output_;
  const uint64_t total_;
  std::mutex mutex_;
  Progress progress_;
};

absl::StatusOr<v1::Durability> DurabilityOf(const std::string& name) {
  if (name.empty()) return v1::DURABILITY_UNSPECIFIED;
  if (name == "durable") return v1::DURABILITY_DURABLE;
  if (name == "buffered") return v1::DURABILITY_BUFFERED;
  return UsageError(text::StrCat("--durability ", name, ": expected durable or buffered"));
}

absl::StatusOr<Dataset> LoadTrainingData(const DataOptions& options, const ModelSpec& spec) {
  TALLY_ASSIGN_OR_RETURN(const DatasetFiles files, FilesOf(options));
  if (!files.train.has_value()) {
    return absl::NotFoundError(text::StrCat(
        options.data, ": no training files there; name them with --images and --labels"));
  }
  return ReadFor(spec, *files.train, "training data");
}

absl::Status PrintResult(const TrainOptions& options, const RemoteTrainingReport& report,
                         uint32_t epochs, uint64_t elapsed_ms, Output& output) {
  const v1::FlushResponse& flush = report.last_flush;
  const uint64_t speed = report.sent * 1000 / std::max<uint64_t>(elapsed_ms, 1);
  output.Line(
      text::StrCat(report.sent, " samples, ", speed, " samples/s, digest ", flush.state_digest()));
  output.Result(JsonObject()
                    .Add("model", options.model)
                    .Add("source", options.source)
                    .Add("epochs", epochs)
                    .Add("samples_sent", report.sent)
                    .Add("samples_skipped", report.resumed_after)
                    .Add("samples_per_second", speed)
                    .Add("interruptions", report.interruptions)
                    .Add("seen", flush.prequential().seen())
                    .Add("correct", flush.prequential().correct())
                    .Add("recent_permille", flush.prequential().recent_permille())
                    .Add("step", flush.step())
                    .Add("position", flush.position())
                    .Add("digest", flush.state_digest()));
  return absl::OkStatus();
}

absl::Status RunTrain(TrainOptions options, Context& context) {
  RemoteTrainingOptions training;
  TALLY_ASSIGN_OR_RETURN(training.durability, DurabilityOf(options.durability));
  TALLY_ASSIGN_OR_RETURN(const auto client, ConnectTo(context, options.remote));
  TALLY_ASSIGN_OR_RETURN(const v1::Model model,
                         WaitForModel(*client, options.model, options.wait, context));
  TALLY_ASSIGN_OR_RETURN(const ModelSpec spec, SpecFromMessage(model.spec()));
  TALLY_ASSIGN_OR_RETURN(const Dataset dataset, LoadTrainingData(options.data, spec));
  const auto plan = PlanTraining(spec, dataset.count(), options.plan);
  if (!plan.ok()) return WithExitCode(plan.status(), ExitCode::kUsage);
  if (options.source.empty()) options.source = RandomSource();
  context.output.Line(text::StrCat("source ", options.source,
                                   " (after an interruption go on with --source ", options.source,
                                   ")"));
  training.model = options.model;
  training.source = options.source;
  training.plan = *plan;
  training.batch_rows = options.batch_rows;

  TrainPrinter printer(context.output, uint64_t{plan->epochs} * dataset.count());
  TALLY_ASSIGN_OR_RETURN(const auto patient, ConnectTo(context, options.remote, kPatience));
  const uint64_t started_ms = SteadyMilliseconds();
  const auto report = TrainRemotely(*patient, dataset, training, printer);
  if (!report.ok()) return RemoteError(report.status());
  return PrintResult(options, *report, plan->epochs, SteadyMilliseconds() - started_ms,
                     context.output);
}

}  // namespace

void AddTrainCommand(CommandSet& commands) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App& command =
      commands.Add({"train", "Teach a model of the daemon a data set",
                    "tally train digits --data mnist --epochs 3\n"
                    "  tally train door --images door.csv --source camera-1 --json"},
                   [options](Context& context) { return RunTrain(*options, context); });
  command.add_option("model", options->model, "The model")->required();
  AddDataOptions(command, options->data);
  AddPlanOptions(command, options->plan);
  command
      .add_option("--batch-rows", options->batch_rows,
                  "Samples a message, 1 to 4096 (default: about 64 KiB)")
      ->check(CLI::Range(1u, 4096u));
  command.add_option("--source", options->source,
                     "Under which name to send; a source that the daemon knows goes on where it "
                     "stands (default: a new one)");
  command.add_option("--durability", options->durability,
                     "When a message counts as kept: durable (survives power loss) or buffered "
                     "(default: the daemon's)");
  AddRemoteOptions(command, options->remote);
  AddWaitOption(command, options->wait);
}

}  // namespace tally::cli
