// Who wants to hear that a host has moved on.

#ifndef TALLY_DAEMON_HOSTING_LISTENER_LIST_H_
#define TALLY_DAEMON_HOSTING_LISTENER_LIST_H_

#include <algorithm>
#include <vector>

#include "daemon/hosting/model_host.h"
#include "daemon/platform/mutex.h"

namespace tally::hosting {

// Its lock is taken by nothing else, and held while listeners are called: so Remove returns only
// when no call to the listener is under way.
class ListenerList {
 public:
  void Add(ProgressListener* listener) {
    MutexLock lock(mutex_);
    listeners_.push_back(listener);
  }
  void Remove(ProgressListener* listener) {
    MutexLock lock(mutex_);
    std::erase(listeners_, listener);
  }
  void Notify() {
    MutexLock lock(mutex_);
    for (ProgressListener* listener : listeners_) listener->OnProgress();
  }

 private:
  Mutex mutex_;
  std::vector<ProgressListener*> listeners_ TALLY_GUARDED_BY(mutex_);
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_LISTENER_LIST_H_
