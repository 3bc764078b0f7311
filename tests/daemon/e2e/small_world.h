// Small networks and data sets with odd sizes, and what training them must give.

#ifndef TALLY_TESTS_DAEMON_E2E_SMALL_WORLD_H_
#define TALLY_TESTS_DAEMON_E2E_SMALL_WORLD_H_

#include <cstdint>
#include <string>

#include "client/datasets/dataset.h"
#include "client/training/training_plan.h"
#include "core/learner/model_spec.h"

namespace tally::e2e {

// 12 inputs of uint8, 4 classes, mini-batches of 7.
ModelSpec SmallSpec(const std::string& algorithm = kPocketNnName);
// The same, standardised by constants that are measured on the first `samples` samples.
ModelSpec CalibratedSpec(const std::string& algorithm, uint32_t samples);
// The same trained in another way, which keeps more between two steps.
ModelSpec OtherSpec(const std::string& algorithm);

// `count` samples whose class shows in their values, with noise; a pure function of both arguments.
Dataset SmallData(uint32_t count, uint32_t seed = 1);

// The samples [begin, end) as they go over the wire.
std::string RowBytes(const Dataset& dataset, size_t begin, size_t end);

// The state digest of a learner trained here, without a daemon.
std::string ExpectedDigest(const ModelSpec& spec, const Dataset& dataset, const TrainingPlan& plan);

// IDX files of standard names in `directory`, for the `tally` command.
void WriteDataset(const Dataset& train, const Dataset& test, const std::string& directory);

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_SMALL_WORLD_H_
