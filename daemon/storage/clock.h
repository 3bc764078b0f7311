// Time, behind a seam: tests use a clock they advance by hand.

#ifndef TALLY_DAEMON_STORAGE_CLOCK_H_
#define TALLY_DAEMON_STORAGE_CLOCK_H_

#include <cstdint>

namespace tally::storage {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t MonotonicNs() = 0;  // never goes back; origin unspecified
  virtual void SleepMs(uint64_t ms) = 0;
};

Clock& SystemClock();

}  // namespace tally::storage

#endif  // TALLY_DAEMON_STORAGE_CLOCK_H_
