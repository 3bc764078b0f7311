#include "core/algorithms/pocketnn/reference_run.h"

#include <numeric>
#include <utility>
#include <vector>

#include "core/algorithms/pocketnn/bounds.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/arithmetic/check.h"
#include "core/arithmetic/glibc_random.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"

namespace tally {
namespace {

class PocketNnReferenceRun : public ReferenceRun {
 public:
  explicit PocketNnReferenceRun(const ModelSpec& spec)
      : learner_(spec, {.reference_random = &random_}) {}

  Learner& learner() override { return learner_; }

  std::span<const uint32_t> NextEpochOrder(uint32_t samples) override {
    if (order_.empty()) {
      order_.resize(samples);
      std::iota(order_.begin(), order_.end(), 0u);
    }
    TALLY_CHECK(order_.size() == samples);
    for (uint32_t i = samples; i-- > 1;) {
      std::swap(order_[i], order_[random_.Next() % (i + 1)]);
    }
    return order_;
  }

 private:
  GlibcRandom random_;  // before the learner, which draws its first weights from it
  pocketnn::PocketNnLearner learner_;
  std::vector<uint32_t> order_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ReferenceRun>> MakeReferenceRun(const ModelSpec& spec) {
  TALLY_RETURN_IF_ERROR(ValidateModelSpec(spec));
  if (spec.algorithm != "pocketnn" || spec.pocketnn.profile != PocketNnProfile::kReference) {
    return absl::InvalidArgumentError(
        "pocketnn.profile: a reference run needs algorithm \"pocketnn\" and profile \"reference\"");
  }
  TALLY_RETURN_IF_ERROR(pocketnn::CheckBounds(spec));
  return std::make_unique<PocketNnReferenceRun>(spec);
}

}  // namespace tally
