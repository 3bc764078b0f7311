// A clock on which each look takes a millisecond: every training step seems to take one.

#ifndef TALLY_TESTS_SUPPORT_TICKING_CLOCK_H_
#define TALLY_TESTS_SUPPORT_TICKING_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "daemon/storage/clock.h"

namespace tally::storage {

// Thread-safe.
class TickingClock final : public Clock {
 public:
  int64_t MonotonicNs() override { return now_ns_ += 1'000'000; }
  void SleepMs(uint64_t ms) override { now_ns_ += static_cast<int64_t>(ms) * 1'000'000; }

 private:
  std::atomic<int64_t> now_ns_{0};
};

}  // namespace tally::storage

#endif  // TALLY_TESTS_SUPPORT_TICKING_CLOCK_H_
