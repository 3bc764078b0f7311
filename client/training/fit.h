// Training without a daemon: the same learner, fed in the same order, gives the same state digest.

#ifndef TALLY_CLIENT_TRAINING_FIT_H_
#define TALLY_CLIENT_TRAINING_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"
#include "client/training/training_plan.h"
#include "core/algorithms/pocketnn/reference_run.h"
#include "core/learner/learner.h"

namespace tally {

struct EpochReport {
  uint32_t epoch = 0;      // counted from 0
  int64_t train_loss = 0;  // sum over the epoch's samples, each before it was learnt
  uint32_t train_total = 0;
  uint32_t train_correct = 0;     // predicted right before being learnt
  uint32_t held_out_total = 0;    // 0 without held-out data
  uint32_t held_out_correct = 0;  // after the epoch
  uint32_t test_total = 0;        // 0 if this epoch was not tested
  uint32_t test_correct = 0;      // after the epoch
};

struct FitReport {
  std::vector<EpochReport> epochs;
  uint64_t trained_samples = 0;
  uint64_t training_ns = 0;  // time spent training, without reading files and testing

  uint32_t SamplesPerSecond() const;
};

// Told how training goes, on the caller's thread.
class FitObserver {
 public:
  virtual ~FitObserver() = default;
  // After every mini-batch. `running` is the epoch so far.
  virtual void OnStep(uint64_t /*trained_samples*/, const EpochReport& /*running*/) {}
  virtual void OnEpoch(const EpochReport& /*report*/) {}
};

struct FitData {
  const Dataset& train;
  const Dataset* test = nullptr;      // may be absent
  const Dataset* held_out = nullptr;  // may be absent; looked at after every epoch
  // Whether the test data wait for the last epoch: who steers by the held-out data sees them once.
  bool test_last_only = false;
};

// Trains by `plan`. A learner that wants calibration gets it from the first samples in training
// order; INVALID_ARGUMENT if there are not enough, or if the data do not fit the spec.
absl::StatusOr<FitReport> Fit(Learner& learner, const FitData& data, const TrainingPlan& plan,
                              FitObserver& observer);

// Trains `epochs` epochs as the published program does: its own shuffle, and the last partial
// mini-batch of an epoch is dropped. INVALID_ARGUMENT as above, or if there are fewer samples than
// one mini-batch.
absl::StatusOr<FitReport> FitReference(ReferenceRun& run, const FitData& data, uint32_t epochs,
                                       FitObserver& observer);

}  // namespace tally

#endif  // TALLY_CLIENT_TRAINING_FIT_H_
