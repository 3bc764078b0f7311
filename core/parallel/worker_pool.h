// A fixed set of threads that share out one piece of work at a time; see README.md.

#ifndef TALLY_CORE_PARALLEL_WORKER_POOL_H_
#define TALLY_CORE_PARALLEL_WORKER_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace tally {

class WorkerPool {
 public:
  static constexpr size_t kThreadsMax = 64;
  static constexpr size_t kPartsMax = 65535;

  // What is done for each part. `thread` is below threads() and belongs to one call at a time: it
  // chooses the scratch to use.
  using Work = absl::FunctionRef<void(size_t part, size_t thread)>;

  // Starts `threads` - 1 threads; the one that calls Run is the first. In [1, kThreadsMax]. Stops
  // the process if the system refuses a thread.
  explicit WorkerPool(size_t threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  size_t threads() const { return workers_.size() + 1; }

  // Calls `work` once for each part in [0, parts), parts <= kPartsMax, and returns when all calls
  // have returned; what they wrote is then visible to the caller. Calls for different parts may run
  // at the same time and must write to different places. Not from inside a work of this pool.
  // Thread-safe; never allocates. While the pool works for another caller all parts are done here.
  void Run(size_t parts, Work work);

 private:
  // The parts of a share that nobody has taken, [begin, end) as end << 16 | begin.
  struct alignas(64) Share {
    std::atomic<uint32_t> left = 0;
  };

  // Hands out the parts, unless the pool is busy.
  bool Open(size_t parts, const Work& work);
  void WorkerMain(size_t thread);
  void TakeParts(Work work, size_t thread);

  std::unique_ptr<Share[]> shares_;  // one a thread

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::condition_variable idle_;
  bool busy_ = false;           // somebody is in Run and has the shares
  const Work* work_ = nullptr;  // while workers may join in
  uint64_t works_ = 0;          // that there have been
  size_t active_ = 0;           // workers that joined in and have not left
  bool stopping_ = false;

  std::vector<std::thread> workers_;
};

}  // namespace tally

#endif  // TALLY_CORE_PARALLEL_WORKER_POOL_H_
