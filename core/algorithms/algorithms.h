// From a ModelSpec to its Learner; the one place that knows every algorithm.

#ifndef TALLY_CORE_ALGORITHMS_ALGORITHMS_H_
#define TALLY_CORE_ALGORITHMS_ALGORITHMS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/learner/learner.h"
#include "core/learner/learner_environment.h"
#include "core/learner/model_spec.h"

namespace tally {

// A fresh learner at step 0. INVALID_ARGUMENT if the spec is invalid, its algorithm unknown, or its
// worst-case sums do not fit int64 (promise P7; the message has the numbers). FAILED_PRECONDITION
// for a reference profile, which only `tally fit` can run (pocketnn/reference_run.h).
absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const ModelSpec& spec,
                                                     const LearnerEnvironment& environment = {});

// Bytes of memory a learner of this spec allocates (weights, activations, gradients, and scratch
// for each thread); what is admitted before a model is created.
uint64_t LearnerBytes(const ModelSpec& spec, size_t threads = 1);

// The papers' networks by name ("pocketnn/mnist-mlp", ...). NOT_FOUND lists the names and the
// nearest.
absl::StatusOr<ModelSpec> ZooSpec(std::string_view name);
std::vector<std::string> ZooNames();

}  // namespace tally

#endif  // TALLY_CORE_ALGORITHMS_ALGORITHMS_H_
