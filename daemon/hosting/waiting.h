// Waiting with deadlines of the Clock seam, and answers handed from one thread to another.

#ifndef TALLY_DAEMON_HOSTING_WAITING_H_
#define TALLY_DAEMON_HOSTING_WAITING_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/platform/mutex.h"
#include "daemon/storage/clock.h"

namespace tally::hosting {

constexpr int64_t kNsPerMs = 1000000;
constexpr int64_t kNoDeadline = std::numeric_limits<int64_t>::max();

// The deadline `ms` from now, without overflow.
inline int64_t DeadlineAfterMs(int64_t now_ns, uint64_t ms) {
  constexpr int64_t kForeverMs = (kNoDeadline / kNsPerMs) / 2;
  return now_ns + static_cast<int64_t>(std::min<uint64_t>(ms, kForeverMs)) * kNsPerMs;
}

// Waits for a notification, at most until the deadline and, if there is one, at most a second, so
// that a clock that tests move by hand is looked at again. False once the deadline has passed.
inline bool WaitSlice(CondVar& changed, Mutex& mutex, storage::Clock& clock, int64_t deadline_ns)
    TALLY_REQUIRES(mutex) {
  constexpr int64_t kSliceMs = 1000;
  if (deadline_ns == kNoDeadline) {
    changed.Wait(mutex);
    return true;
  }
  const int64_t left_ns = deadline_ns - clock.MonotonicNs();
  if (left_ns <= 0) return false;
  changed.WaitForMs(mutex, std::min((left_ns - 1) / kNsPerMs + 1, kSliceMs));
  return true;
}

// One answer. The waiting side may give up before the work has begun; work that has begun is
// finished and its answer dropped.
template <typename T>
class Answer {
 public:
  // The worker's side. False: nobody waits any more, leave the work.
  bool Begin() {
    MutexLock lock(mutex_);
    begun_ = !abandoned_;
    return begun_;
  }
  void Give(absl::StatusOr<T> value) {
    MutexLock lock(mutex_);
    if (!value_.has_value()) value_ = std::move(value);
    changed_.NotifyAll();
  }

  // The waiting side: once. DEADLINE_EXCEEDED says whether the work was left or goes on.
  absl::StatusOr<T> Wait(storage::Clock& clock, int64_t deadline_ns) {
    MutexLock lock(mutex_);
    while (!value_.has_value()) {
      if (WaitSlice(changed_, mutex_, clock, deadline_ns)) continue;
      abandoned_ = !begun_;
      return absl::DeadlineExceededError(abandoned_ ? "deadline passed; nothing was done"
                                                    : "deadline passed; the work goes on");
    }
    return *std::move(value_);
  }
  bool abandoned() {
    MutexLock lock(mutex_);
    return abandoned_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::optional<absl::StatusOr<T>> value_ TALLY_GUARDED_BY(mutex_);
  bool begun_ TALLY_GUARDED_BY(mutex_) = false;
  bool abandoned_ TALLY_GUARDED_BY(mutex_) = false;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_WAITING_H_
