// Which samples are trained in which order: shared by `tally fit` and `tally train`, so that both
// give the same weights.

#ifndef TALLY_CLIENT_TRAINING_TRAINING_PLAN_H_
#define TALLY_CLIENT_TRAINING_TRAINING_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/datasets/dataset.h"
#include "core/learner/model_spec.h"

namespace tally {

// Epochs first_epoch, first_epoch + 1, ..., `epochs` of them. Each ends with a flush: a partial
// mini-batch is trained.
struct TrainingPlan {
  uint32_t epochs = 1;
  uint32_t first_epoch = 0;
  uint64_t shuffle_seed = 0;
  bool in_order = false;

  // The samples as epoch `epoch` visits them: EpochOrder(shuffle_seed, epoch, samples), or 0, 1,
  // ...
  std::vector<uint32_t> Order(uint32_t epoch, uint32_t samples) const;
};

struct PlanOptions {
  std::optional<uint32_t> epochs = std::nullopt;  // absent: what is left of the spec's schedule
  uint32_t first_epoch = 0;                       // more than 0 continues an earlier run's order
  std::optional<uint64_t> shuffle_seed = std::nullopt;  // absent: the spec's seed
  bool in_order = false;  // no shuffling: every epoch as the files have it
};

// INVALID_ARGUMENT if no epoch is left.
absl::StatusOr<TrainingPlan> PlanTraining(const ModelSpec& spec, uint32_t samples,
                                          const PlanOptions& options);

// Copies of the samples `indices`, one after the other, in buffers that are reused.
class SampleBuffer {
 public:
  void Gather(const Dataset& dataset, std::span<const uint32_t> indices);

  std::span<const std::byte> rows() const { return rows_; }
  std::span<const uint32_t> labels() const { return labels_; }

 private:
  std::vector<std::byte> rows_;
  std::vector<uint32_t> labels_;
};

}  // namespace tally

#endif  // TALLY_CLIENT_TRAINING_TRAINING_PLAN_H_
