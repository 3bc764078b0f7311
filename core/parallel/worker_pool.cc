#include "core/parallel/worker_pool.h"

#include <algorithm>
#include <optional>

#include "core/arithmetic/check.h"

namespace tally {
namespace {

constexpr uint32_t kPlaceBits = 12;
constexpr uint32_t kPlaceMask = (1u << kPlaceBits) - 1;

constexpr uint32_t Pack(size_t stage, size_t begin, size_t end) {
  return static_cast<uint32_t>(stage << (2 * kPlaceBits) | end << kPlaceBits | begin);
}

// Takes the first part of a share (its owner) or the last one (whoever helps). The stage is there
// so that one who was held up cannot take a part of a later stage for one of this.
std::optional<size_t> Take(std::atomic<uint32_t>& share, size_t stage, bool owner) {
  uint32_t left = share.load(std::memory_order_relaxed);
  for (;;) {
    const uint32_t begin = left & kPlaceMask;
    const uint32_t end = left >> kPlaceBits & kPlaceMask;
    if (left >> (2 * kPlaceBits) != stage || begin == end) return std::nullopt;
    const uint32_t rest = owner ? Pack(stage, begin + 1, end) : Pack(stage, begin, end - 1);
    // No order is needed: each part is taken once, and stage_ and done_ order what is written.
    if (share.compare_exchange_weak(left, rest, std::memory_order_relaxed)) {
      return owner ? begin : end - 1;
    }
  }
}

// Tells the processor that this is a loop that waits.
inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__ARM_ARCH) && __ARM_ARCH >= 7)
  asm volatile("yield");
#endif
}

// Some microseconds: what is awaited is the end of parts that others are at, which takes about as
// long as falling asleep.
constexpr int kLooksForParts = 500;
// Some tens of microseconds, once after the last of many runs: while samples stream in the next
// mini-batch comes sooner than a sleeping thread could be woken.
constexpr int kLooksForRuns = 2000;

// Looks a while before one goes to sleep.
template <class Condition>
bool IsSoon(int looks, const Condition& condition) {
  for (int i = 0; i < looks; ++i) {
    if (condition()) return true;
    Pause();
  }
  return false;
}

}  // namespace

WorkerPool::WorkerPool(size_t threads) {
  TALLY_CHECK(threads >= 1 && threads <= kThreadsMax);
  shares_ = std::make_unique<Share[]>(threads);
  workers_.reserve(threads - 1);
  for (size_t thread = 1; thread < threads; ++thread) {
    workers_.emplace_back([this, thread] { WorkerMain(thread); });
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    TALLY_CHECK(!busy_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void WorkerPool::Run(size_t parts, Work work) {
  if (parts == 0) return;
  const auto nothing = [] {};
  const Stage stage = {parts, work, nothing};
  Run(std::span(&stage, 1));
}

void WorkerPool::Run(std::span<const Stage> stages) {
  TALLY_CHECK(stages.size() <= kStagesMax);
  size_t parts_max = 0;
  for (const Stage& stage : stages) {
    TALLY_CHECK(stage.parts >= 1 && stage.parts <= kPartsMax);
    parts_max = std::max(parts_max, stage.parts);
  }
  if (workers_.empty() || parts_max < 2 || !Open(stages)) {
    for (const Stage& stage : stages) {
      for (size_t part = 0; part < stage.parts; ++part) stage.work(part, 0);
      stage.then();
    }
    return;
  }
  wake_.notify_all();
  RunStages(0);
  AwaitWorkers();
}

bool WorkerPool::Open(std::span<const Stage> stages) {
  const std::lock_guard lock(mutex_);
  if (busy_) return false;
  busy_ = open_ = true;
  ++runs_;
  stages_ = stages;
  done_ = 0;
  FillShares(0);
  stage_ = 0;
  return true;
}

void WorkerPool::FillShares(size_t stage) {
  const size_t count = threads();
  const size_t parts = stages_[stage].parts;
  for (size_t t = 0; t < count; ++t) {
    shares_[t].left.store(Pack(stage, parts * t / count, parts * (t + 1) / count),
                          std::memory_order_relaxed);
  }
}

void WorkerPool::RunStages(size_t thread) {
  for (size_t stage = stage_; stage < stages_.size(); stage = stage_) {
    const size_t taken = TakeParts(stage, thread);
    if (taken > 0 && done_.fetch_add(taken) + taken == stages_[stage].parts) {
      EndStage(stage);
    } else {
      AwaitEndOf(stage);
    }
  }
}

size_t WorkerPool::TakeParts(size_t stage, size_t thread) {
  const size_t count = threads();
  size_t taken = 0;
  for (size_t i = 0; i < count; ++i) {
    std::atomic<uint32_t>& share = shares_[(thread + i) % count].left;
    while (const std::optional<size_t> part = Take(share, stage, i == 0)) {
      stages_[stage].work(*part, thread);
      ++taken;
    }
  }
  return taken;
}

// On the thread that did the last part: it goes on at once, the others follow.
void WorkerPool::EndStage(size_t stage) {
  stages_[stage].then();
  done_ = 0;
  if (stage + 1 < stages_.size()) FillShares(stage + 1);
  stage_ = stage + 1;
  {
    const std::lock_guard lock(mutex_);
    if (sleepers_ == 0) return;
  }
  stage_end_.notify_all();
}

void WorkerPool::AwaitEndOf(size_t stage) {
  if (IsSoon(kLooksForParts, [&] { return stage_ != stage; })) return;
  std::unique_lock lock(mutex_);
  ++sleepers_;
  while (stage_ == stage) stage_end_.wait(lock);
  --sleepers_;
}

void WorkerPool::AwaitWorkers() {
  {
    // Whoever has not joined in by now need not.
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  const auto none_active = [&] { return active_ == 0; };
  const bool soon = IsSoon(kLooksForParts, none_active);
  std::unique_lock lock(mutex_);
  while (!soon && !none_active()) idle_.wait(lock);
  busy_ = false;
}

void WorkerPool::WorkerMain(size_t thread) {
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!stopping_ && (!open_ || runs_ == seen)) {
      seen = runs_;  // what has ended meanwhile needs nobody any more
      lock.unlock();
      IsSoon(kLooksForRuns, [&] { return runs_ != seen; });
      lock.lock();
      if (!stopping_ && runs_ == seen) wake_.wait(lock);
    }
    if (stopping_) return;
    seen = runs_;
    ++active_;
    lock.unlock();
    RunStages(thread);
    const bool last = --active_ == 0;
    lock.lock();
    // After the lock: whoever saw another worker active is asleep by now, or will look again.
    if (last) idle_.notify_one();
  }
}

}  // namespace tally
