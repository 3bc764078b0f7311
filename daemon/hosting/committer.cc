#include "daemon/hosting/committer.h"

#include <algorithm>
#include <utility>

#include "daemon/hosting/waiting.h"

namespace tally::hosting {

Committer::Committer(storage::Clock& clock, uint64_t interval_ms, std::function<bool()> sync)
    : clock_(clock),
      interval_ms_(interval_ms),
      sync_(std::move(sync)),
      requested_ns_(kNoDeadline),
      earliest_ns_(clock.MonotonicNs()) {}

Committer::~Committer() { Stop(); }

void Committer::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Committer::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Committer::NoteAppended() {
  MutexLock lock(mutex_);
  if (std::exchange(appended_, true)) return;
  appended_ns_ = clock_.MonotonicNs();
  // The thread may be asleep without a deadline.
  changed_.NotifyAll();
}

void Committer::RequestWithin(uint64_t ms) {
  const int64_t by_ns = DeadlineAfterMs(clock_.MonotonicNs(), ms);
  MutexLock lock(mutex_);
  if (by_ns >= requested_ns_) return;
  requested_ns_ = by_ns;
  changed_.NotifyAll();
}

void Committer::Run() {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (!WaitForTurn()) return;
      requested_ns_ = kNoDeadline;
      appended_ = false;
      earliest_ns_ = DeadlineAfterMs(clock_.MonotonicNs(), interval_ms_);
    }
    if (!sync_()) return;
  }
}

// False when the thread shall end.
bool Committer::WaitForTurn() {
  while (!stopped_) {
    int64_t turn_ns = requested_ns_;
    if (appended_) turn_ns = std::min(turn_ns, DeadlineAfterMs(appended_ns_, kUnaskedMs));
    turn_ns = std::max(turn_ns, earliest_ns_);
    if (!WaitSlice(changed_, mutex_, clock_, turn_ns)) return true;
  }
  return false;
}

}  // namespace tally::hosting
