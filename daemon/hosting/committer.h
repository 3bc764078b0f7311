// The thread that makes records durable, many at a time.

#ifndef TALLY_DAEMON_HOSTING_COMMITTER_H_
#define TALLY_DAEMON_HOSTING_COMMITTER_H_

#include <cstdint>
#include <functional>
#include <thread>

#include "daemon/platform/mutex.h"
#include "daemon/storage/clock.h"

namespace tally::hosting {

// Group commit: a sync begins when the time it is asked for has come and the previous one has
// returned, and serves everything appended before it began. `interval_ms` only lengthens the time
// between two beginnings. What nobody asks for is synced within kUnaskedMs.
class Committer {
 public:
  static constexpr uint64_t kUnaskedMs = 1000;

  // `sync` is called on the thread of the committer, without its lock; false ends the thread.
  Committer(storage::Clock& clock, uint64_t interval_ms, std::function<bool()> sync);
  ~Committer();

  void Start();
  void Stop();

  void NoteAppended();
  void Request() { RequestWithin(0); }
  void RequestWithin(uint64_t ms);

 private:
  void Run();
  bool WaitForTurn() TALLY_REQUIRES(mutex_);

  storage::Clock& clock_;
  const uint64_t interval_ms_;
  const std::function<bool()> sync_;
  Mutex mutex_;
  CondVar changed_;
  int64_t requested_ns_ TALLY_GUARDED_BY(mutex_);  // the earliest wish; kNoDeadline: none
  bool appended_ TALLY_GUARDED_BY(mutex_) = false;
  bool stopped_ TALLY_GUARDED_BY(mutex_) = false;
  int64_t appended_ns_ TALLY_GUARDED_BY(mutex_) = 0;  // the first since the last sync began
  int64_t earliest_ns_ TALLY_GUARDED_BY(mutex_) = 0;  // of the next sync
  std::thread thread_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_COMMITTER_H_
