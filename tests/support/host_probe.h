// A listener that lets a test wait for what a host's threads do, without sleeping.

#ifndef TALLY_TESTS_SUPPORT_HOST_PROBE_H_
#define TALLY_TESTS_SUPPORT_HOST_PROBE_H_

#include <cstdint>
#include <functional>
#include <utility>

#include "daemon/hosting/model_host.h"
#include "daemon/platform/mutex.h"

namespace tally::testing {

// Listens from construction to destruction.
class HostProbe final : public hosting::ProgressListener {
 public:
  explicit HostProbe(hosting::ModelHost& host) : host_(host) { host_.AddListener(this); }
  ~HostProbe() override { host_.RemoveListener(this); }

  void OnProgress() override {
    MutexLock lock(mutex_);
    ++calls_;
    changed_.NotifyAll();
  }

  // Until `done`, looked at now and after each call of the host.
  void WaitUntil(const std::function<bool()>& done) {
    MutexLock lock(mutex_);
    while (!done()) changed_.Wait(mutex_);
  }
  // Until the trainer has nothing left to do: then all that can be trained is trained.
  void WaitIdle() {
    WaitUntil([this] { return host_.idle(); });
  }
  uint64_t calls() {
    MutexLock lock(mutex_);
    return calls_;
  }

 private:
  hosting::ModelHost& host_;
  Mutex mutex_;
  CondVar changed_;
  uint64_t calls_ = 0;
};

// Holds whichever host thread calls it, once closed and `when` is true, until it is opened again.
// Without a `when` it may be a call about what happened before it was closed.
class HostGate final : public hosting::ProgressListener {
 public:
  explicit HostGate(hosting::ModelHost& host) : host_(host) { host_.AddListener(this); }
  ~HostGate() override {
    Open();
    host_.RemoveListener(this);
  }

  void OnProgress() override {
    MutexLock lock(mutex_);
    while (closed_ && (when_ == nullptr || when_())) {
      held_ = true;
      changed_.NotifyAll();
      changed_.Wait(mutex_);
    }
    held_ = false;
  }
  void Close(std::function<bool()> when = nullptr) {
    MutexLock lock(mutex_);
    closed_ = true;
    when_ = std::move(when);
  }
  void Open() {
    MutexLock lock(mutex_);
    closed_ = false;
    changed_.NotifyAll();
  }
  // Until a thread has run into the closed gate.
  void WaitHeld() {
    MutexLock lock(mutex_);
    while (!held_) changed_.Wait(mutex_);
  }

 private:
  hosting::ModelHost& host_;
  Mutex mutex_;
  CondVar changed_;
  std::function<bool()> when_;
  bool closed_ = false;
  bool held_ = false;
};

}  // namespace tally::testing

#endif  // TALLY_TESTS_SUPPORT_HOST_PROBE_H_
