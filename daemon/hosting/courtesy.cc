#include "daemon/hosting/courtesy.h"

#include <utility>

namespace tally::hosting {

Courtesy::Courtesy(storage::Clock& clock, std::function<void()> give_way)
    : clock_(clock), give_way_(std::move(give_way)), until_ns_(clock.MonotonicNs()) {}

void Courtesy::AfterStep(uint64_t questions) {
  const int64_t now_ns = clock_.MonotonicNs();
  if (std::exchange(questions_, questions) != questions) until_ns_ = now_ns + kMemoryNs;
  if (now_ns < until_ns_) give_way_();
}

}  // namespace tally::hosting
