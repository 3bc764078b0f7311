#include "core/algorithms/algorithms.h"

#include "core/algorithms/pocketnn/bounds.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

absl::Status NotYet(const ModelSpec& spec) {
  return absl::UnimplementedError(
      text::StrCat("algorithm: \"", spec.algorithm, "\" cannot be trained yet"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> MakeLearner(const ModelSpec& spec,
                                                     const LearnerEnvironment& environment) {
  TALLY_RETURN_IF_ERROR(ValidateModelSpec(spec));
  if (spec.algorithm != kPocketNnName) {
    return NotYet(spec);
  }
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

uint64_t LearnerBytes(const ModelSpec& spec) { return pocketnn::PocketNnLearner::Bytes(spec); }

}  // namespace tally
