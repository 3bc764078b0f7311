// A fixed set of threads that share out one piece of work at a time; see README.md.

#ifndef TALLY_CORE_PARALLEL_WORKER_POOL_H_
#define TALLY_CORE_PARALLEL_WORKER_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace tally {

class WorkerPool {
 public:
  static constexpr size_t kThreadsMax = 64;
  static constexpr size_t kPartsMax = 4095;
  static constexpr size_t kStagesMax = 255;

  // What is done for each part. `thread` is below threads() and belongs to one call at a time: it
  // chooses the scratch to use.
  using Work = absl::FunctionRef<void(size_t part, size_t thread)>;

  // Calls for different parts may run at the same time and must write to different places. `then`
  // is called once, on one of the threads, when all parts are done; it sees what they wrote, and
  // the parts of the next stage see what it wrote. Both are borrowed: they are named objects, not
  // temporary ones, and outlive Run.
  struct Stage {
    size_t parts;  // [1, kPartsMax]
    Work work;
    absl::FunctionRef<void()> then;
  };

  // Starts `threads` - 1 threads; the one that calls Run is the first. In [1, kThreadsMax]. Stops
  // the process if the system refuses a thread.
  explicit WorkerPool(size_t threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  size_t threads() const { return workers_.size() + 1; }

  // Does one stage after the other and returns when all is done and visible to the caller. Not from
  // inside a work of this pool. Thread-safe; never allocates. While the pool works for another
  // caller all parts are done here.
  void Run(std::span<const Stage> stages);
  // A single stage, of any number of parts up to kPartsMax.
  void Run(size_t parts, Work work);

 private:
  // The parts of a share that nobody has taken, [begin, end): stage << 24 | end << 12 | begin.
  struct alignas(64) Share {
    std::atomic<uint32_t> left = 0;
  };

  // Opens the first stage to the workers, unless the pool is busy.
  bool Open(std::span<const Stage> stages);
  void FillShares(size_t stage);
  // Takes part from the stage that is open on, to the end of the last one.
  void RunStages(size_t thread);
  size_t TakeParts(size_t stage, size_t thread);
  void EndStage(size_t stage);
  void AwaitEndOf(size_t stage);
  void AwaitWorkers();
  void WorkerMain(size_t thread);

  std::unique_ptr<Share[]> shares_;  // one a thread
  std::span<const Stage> stages_;    // while busy_
  std::atomic<size_t> stage_ = 0;    // that is open; stages_.size(): all are done
  std::atomic<size_t> done_ = 0;     // parts of it
  std::atomic<size_t> active_ = 0;   // workers that joined in and have not left

  std::mutex mutex_;                   // guards what follows, and the sleep of all
  std::condition_variable wake_;       // workers: there are stages, or no more ever
  std::condition_variable stage_end_;  // whoever has nothing left to take of a stage
  std::condition_variable idle_;       // Run: no worker is active
  size_t sleepers_ = 0;                // at stage_end_
  bool busy_ = false;                  // somebody is in Run
  bool open_ = false;                  // workers may join in
  std::atomic<uint64_t> runs_ = 0;     // that there have been; changed under the mutex
  bool stopping_ = false;

  std::vector<std::thread> workers_;
};

// That share work with the caller, itself included: 1 without a pool.
inline size_t ThreadsOf(const WorkerPool* workers) {
  return workers == nullptr ? 1 : workers->threads();
}

}  // namespace tally

#endif  // TALLY_CORE_PARALLEL_WORKER_POOL_H_
