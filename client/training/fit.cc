#include "client/training/fit.h"

#include <algorithm>
#include <chrono>

#include "client/training/evaluate.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

uint64_t NowNs() {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                   std::chrono::steady_clock::now().time_since_epoch())
                                   .count());
}

absl::Status CheckData(const FitData& data, const ModelSpec& spec) {
  TALLY_RETURN_IF_ERROR(CheckFits(data.train, spec, "training data"));
  if (data.held_out != nullptr) {
    TALLY_RETURN_IF_ERROR(CheckFits(*data.held_out, spec, "held-out data"));
  }
  if (data.test == nullptr) return absl::OkStatus();
  return CheckFits(*data.test, spec, "test data");
}

// The epoch loop, whatever decides the order.
class EpochRunner {
 public:
  EpochRunner(Learner& learner, const FitData& data, FitObserver& observer)
      : learner_(learner), data_(data), observer_(observer) {}

  // Trains `order` in mini-batches; the last one may be partial. `last`: of the epochs.
  void Run(uint32_t epoch, std::span<const uint32_t> order, bool last) {
    EpochReport report;
    report.epoch = epoch;
    const uint64_t start = NowNs();
    const uint32_t batch_size = learner_.spec().batch_size;
    for (size_t first = 0; first < order.size(); first += batch_size) {
      Step(order.subspan(first, std::min<size_t>(batch_size, order.size() - first)), report);
    }
    fit_.training_ns += NowNs() - start;
    const auto evaluate = [&](const Dataset& dataset, uint32_t& total, uint32_t& correct) {
      const Evaluation found =
          Evaluate(*learner_.MakePredictor(), learner_.spec().classes, dataset);
      total = found.total;
      correct = found.correct;
    };
    if (data_.held_out != nullptr) {
      evaluate(*data_.held_out, report.held_out_total, report.held_out_correct);
    }
    if (data_.test != nullptr && (last || !data_.test_last_only)) {
      evaluate(*data_.test, report.test_total, report.test_correct);
    }
    fit_.epochs.push_back(report);
    observer_.OnEpoch(report);
  }

  FitReport Take() && { return std::move(fit_); }

 private:
  void Step(std::span<const uint32_t> indices, EpochReport& report) {
    samples_.Gather(data_.train, indices);
    const StepReport step =
        learner_.TrainStep({samples_.rows(), indices.size()}, samples_.labels());
    report.train_loss += step.loss;
    report.train_correct += static_cast<uint32_t>(step.correct);
    report.train_total += static_cast<uint32_t>(indices.size());
    fit_.trained_samples += indices.size();
    observer_.OnStep(fit_.trained_samples, report);
  }

  Learner& learner_;
  const FitData& data_;
  FitObserver& observer_;
  SampleBuffer samples_;
  FitReport fit_;
};

absl::Status CalibrateFrom(Learner& learner, const Dataset& train,
                           std::span<const uint32_t> order) {
  const uint32_t wanted = learner.calibration_samples_wanted();
  if (wanted == 0) return absl::OkStatus();
  if (wanted > order.size()) {
    return absl::InvalidArgumentError(text::StrCat("preprocessing.calibration_samples: ", wanted,
                                                   ", but the training data hold ", order.size(),
                                                   " samples; use more data or a smaller number"));
  }
  SampleBuffer samples;
  samples.Gather(train, order.first(wanted));
  learner.Calibrate({samples.rows(), wanted});
  return absl::OkStatus();
}

}  // namespace

uint32_t FitReport::SamplesPerSecond() const {
  // Per microsecond first: samples * 10^9 could wrap after 10^10 of them.
  const uint64_t us = std::max<uint64_t>(1, training_ns / 1000);
  return static_cast<uint32_t>(std::min<uint64_t>(UINT32_MAX, trained_samples * 1000000 / us));
}

absl::StatusOr<FitReport> Fit(Learner& learner, const FitData& data, const TrainingPlan& plan,
                              FitObserver& observer) {
  TALLY_RETURN_IF_ERROR(CheckData(data, learner.spec()));
  EpochRunner runner(learner, data, observer);
  for (uint32_t i = 0; i < plan.epochs; ++i) {
    const uint32_t epoch = plan.first_epoch + i;
    const std::vector<uint32_t> order = plan.Order(epoch, data.train.count());
    TALLY_RETURN_IF_ERROR(CalibrateFrom(learner, data.train, order));
    runner.Run(epoch, order, i + 1 == plan.epochs);
  }
  return std::move(runner).Take();
}

absl::StatusOr<FitReport> FitReference(ReferenceRun& run, const FitData& data, uint32_t epochs,
                                       FitObserver& observer) {
  Learner& learner = run.learner();
  TALLY_RETURN_IF_ERROR(CheckData(data, learner.spec()));
  const uint32_t batch_size = learner.spec().batch_size;
  const uint32_t whole = data.train.count() / batch_size * batch_size;
  if (whole == 0) {
    return absl::InvalidArgumentError(text::StrCat("the training data hold ", data.train.count(),
                                                   " samples, expected at least one mini-batch of ",
                                                   batch_size));
  }
  EpochRunner runner(learner, data, observer);
  for (uint32_t epoch = 0; epoch < epochs; ++epoch) {
    runner.Run(epoch, run.NextEpochOrder(data.train.count()).first(whole), epoch + 1 == epochs);
  }
  return std::move(runner).Take();
}

}  // namespace tally
