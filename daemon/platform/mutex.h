// std::mutex and its condition variable with clang's thread-safety annotations. std::mutex and not
// absl::Mutex because the thread sanitizer understands it without an instrumented Abseil.

#ifndef TALLY_DAEMON_PLATFORM_MUTEX_H_
#define TALLY_DAEMON_PLATFORM_MUTEX_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__clang__)
#define TALLY_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define TALLY_THREAD_ANNOTATION(x)
#endif
#define TALLY_CAPABILITY(x) TALLY_THREAD_ANNOTATION(capability(x))
#define TALLY_SCOPED_CAPABILITY TALLY_THREAD_ANNOTATION(scoped_lockable)
#define TALLY_GUARDED_BY(x) TALLY_THREAD_ANNOTATION(guarded_by(x))
#define TALLY_REQUIRES(...) TALLY_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define TALLY_ACQUIRE(...) TALLY_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define TALLY_RELEASE(...) TALLY_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define TALLY_EXCLUDES(...) TALLY_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define TALLY_NO_THREAD_SAFETY_ANALYSIS TALLY_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace tally {

class TALLY_CAPABILITY("mutex") Mutex {
 public:
  void Lock() TALLY_ACQUIRE() { mutex_.lock(); }
  void Unlock() TALLY_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class TALLY_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) TALLY_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() TALLY_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits may wake early: callers loop on their condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) TALLY_REQUIRES(mutex) TALLY_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False if the time passed.
  bool WaitForMs(Mutex& mutex, int64_t ms) TALLY_REQUIRES(mutex) TALLY_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool woken =
        condition_.wait_for(lock, std::chrono::milliseconds(ms)) == std::cv_status::no_timeout;
    lock.release();
    return woken;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace tally

#endif  // TALLY_DAEMON_PLATFORM_MUTEX_H_
