// A clock that moves only when a test says so, or when somebody sleeps on it.

#ifndef TALLY_TESTS_SUPPORT_MANUAL_CLOCK_H_
#define TALLY_TESTS_SUPPORT_MANUAL_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "daemon/storage/clock.h"

namespace tally::storage {

// Thread-safe.
class ManualClock final : public Clock {
 public:
  int64_t MonotonicNs() override { return now_ns_; }
  void SleepMs(uint64_t ms) override { AdvanceNs(static_cast<int64_t>(ms) * 1'000'000); }
  void AdvanceNs(int64_t ns) { now_ns_ += ns; }

 private:
  std::atomic<int64_t> now_ns_{1'000'000'000};
};

}  // namespace tally::storage

#endif  // TALLY_TESTS_SUPPORT_MANUAL_CLOCK_H_
