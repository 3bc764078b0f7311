// The published PocketNN program, bit for bit: its random stream, lazily drawn feedback matrices, shuffle of a
// persistent order, raw pixels, and back-propagation through the already updated weights.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_REFERENCE_RUN_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_REFERENCE_RUN_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "core/learner/learner.h"

namespace tally {

// One run from start to end. One rand() stream serves shuffle and feedback, so the calls must alternate as
// the published program does: NextEpochOrder, then every mini-batch of that epoch.
class ReferenceRun {
 public:
  virtual ~ReferenceRun() = default;
  virtual Learner& learner() = 0;
  // Shuffles the persistent order of `samples` indices once more and returns it (borrowed). `samples` is the
  // same at every call. The caller drops the last partial mini-batch.
  virtual std::span<const uint32_t> NextEpochOrder(uint32_t samples) = 0;
};

// INVALID_ARGUMENT unless spec.pocketnn.profile is kReference.
absl::StatusOr<std::unique_ptr<ReferenceRun>> MakeReferenceRun(const ModelSpec& spec);

}  // namespace tally

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_REFERENCE_RUN_H_
