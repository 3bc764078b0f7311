// Test-then-train accuracy: every sample is predicted in its own training pass, before its update.

#ifndef TALLY_DAEMON_HOSTING_PREQUENTIAL_COUNTER_H_
#define TALLY_DAEMON_HOSTING_PREQUENTIAL_COUNTER_H_

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "core/checkpoint/checkpoint.h"
#include "daemon/hosting/model_host.h"

namespace tally::hosting {

// Cumulative counts and a ring of the last kWindow outcomes. Part of a checkpoint's annotations,
// not of the state digest: what was predicted right says something about the model but decides
// nothing.
class PrequentialCounter {
 public:
  static constexpr uint32_t kWindow = 1000;

  void Add(bool correct);
  Prequential value() const;

  void Store(Annotations& annotations) const;
  // DATA_LOSS names the annotation that is missing or contradicts the others.
  static absl::StatusOr<PrequentialCounter> Restore(const Annotations& annotations);

 private:
  uint64_t seen_ = 0;
  uint64_t correct_ = 0;
  uint32_t recent_correct_ = 0;
  // outcomes_[i] is that of the newest sample whose number modulo kWindow is i.
  std::array<bool, kWindow> outcomes_ = {};
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_PREQUENTIAL_COUNTER_H_
