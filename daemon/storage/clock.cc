#include "daemon/storage/clock.h"

#include <cerrno>
#include <ctime>

namespace tally::storage {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

class KernelClock final : public Clock {
 public:
  int64_t MonotonicNs() override {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * kNsPerSecond + now.tv_nsec;
  }

  // Sleeps to an absolute time, so that signals do not lengthen it.
  void SleepMs(uint64_t ms) override {
    timespec until = {};
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t ns = static_cast<uint64_t>(until.tv_nsec) + ms % 1000 * 1'000'000;
    until.tv_sec += static_cast<time_t>(ms / 1000 + ns / kNsPerSecond);
    until.tv_nsec = static_cast<long>(ns % kNsPerSecond);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
  }
};

}  // namespace

Clock& SystemClock() {
  static KernelClock clock;
  return clock;
}

}  // namespace tally::storage
