#include "core/algorithms/algorithms.h"

#include "core/algorithms/niti/bounds.h"
#include "core/algorithms/niti/learner.h"
#include "core/algorithms/pocketnn/bounds.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

absl::StatusOr<std::unique_ptr<Learner>> MakeNiti(const ModelSpec& spec,
                                                  const LearnerEnvironment& environment) {
  TALLY_RETURN_IF_ERROR(niti::CheckBounds(spec));
  return std::make_unique<niti::NitiLearner>(spec,
                                             niti::LearnerOptions{.environment = environment});
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const ModelSpec& spec,
                                                     const LearnerEnvironment& environment) {
  TALLY_RETURN_IF_ERROR(ValidateModelSpec(spec));
  if (spec.algorithm == kNitiName) return MakeNiti(spec, environment);
  if (spec.pocketnn.profile == PocketNnProfile::kReference) {
    return absl::FailedPreconditionError(
        "pocketnn.profile: \"reference\" repeats the published program, whose one random stream "
        "serves "
        "shuffle and feedback; run it with `tally fit`, or use profile \"standard\"");
  }
  TALLY_RETURN_IF_ERROR(pocketnn::CheckBounds(spec));
  return std::make_unique<pocketnn::PocketNnLearner>(
      spec, pocketnn::LearnerOptions{.environment = environment});
}

uint64_t LearnerBytes(const ModelSpec& spec, size_t threads) {
  return spec.algorithm == kNitiName ? niti::NitiLearner::Bytes(spec, threads)
                                     : pocketnn::PocketNnLearner::Bytes(spec, threads);
}

}  // namespace tally
