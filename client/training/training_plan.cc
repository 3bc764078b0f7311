#include "client/training/training_plan.h"

#include <cstring>
#include <numeric>

#include "core/arithmetic/shuffle.h"
#include "core/text/strings.h"

namespace tally {

std::vector<uint32_t> TrainingPlan::Order(uint32_t epoch, uint32_t samples) const {
  if (!in_order) return EpochOrder(shuffle_seed, epoch, samples);
  std::vector<uint32_t> order(samples);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

absl::StatusOr<TrainingPlan> PlanTraining(const ModelSpec& spec, uint32_t samples,
                                          const PlanOptions& options) {
  TrainingPlan plan;
  plan.first_epoch = options.first_epoch;
  plan.shuffle_seed = options.shuffle_seed.value_or(spec.seed);
  plan.in_order = options.in_order;
  if (options.epochs.has_value()) {
    plan.epochs = *options.epochs;
    if (plan.epochs == 0) return absl::InvalidArgumentError("epochs: 0, expected at least 1");
    if (plan.epochs > UINT32_MAX - plan.first_epoch) {
      return absl::InvalidArgumentError(text::StrCat("epochs: ", plan.epochs, " from epoch ",
                                                     plan.first_epoch,
                                                     " on is beyond the last epoch, ", UINT32_MAX));
    }
    return plan;
  }
  const uint32_t schedule = ScheduleEpochs(spec, samples);
  if (plan.first_epoch >= schedule) {
    return absl::InvalidArgumentError(text::StrCat(
        "first epoch: ", plan.first_epoch, ", but the spec's schedule of ", spec.schedule_steps,
        " mini-batches ends after ", schedule, " epochs; say how many more epochs to train"));
  }
  plan.epochs = schedule - plan.first_epoch;
  return plan;
}

void SampleBuffer::Gather(const Dataset& dataset, std::span<const uint32_t> indices) {
  const size_t row_bytes = dataset.row_bytes();
  rows_.resize(indices.size() * row_bytes);
  labels_.resize(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    std::memcpy(rows_.data() + i * row_bytes, dataset.row(indices[i]).data(), row_bytes);
    labels_[i] = dataset.labels[indices[i]];
  }
}

}  // namespace tally
