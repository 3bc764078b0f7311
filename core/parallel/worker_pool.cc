#include "core/parallel/worker_pool.h"

#include <optional>

#include "core/arithmetic/check.h"

namespace tally {
namespace {

constexpr uint32_t kBeginMask = 0xffff;
constexpr uint32_t kEndUnit = 0x10000;

constexpr uint32_t Pack(size_t begin, size_t end) {
  return static_cast<uint32_t>(end) * kEndUnit + static_cast<uint32_t>(begin);
}

// Takes the first part of a share (its owner) or the last one (whoever helps).
std::optional<size_t> Take(std::atomic<uint32_t>& share, bool owner) {
  uint32_t left = share.load(std::memory_order_relaxed);
  for (;;) {
    const uint32_t begin = left & kBeginMask;
    const uint32_t end = left / kEndUnit;
    if (begin == end) return std::nullopt;
    const uint32_t rest = owner ? Pack(begin + 1, end) : Pack(begin, end - 1);
    // No order is needed: each part is taken once, and the mutex orders what was written for it.
    if (share.compare_exchange_weak(left, rest, std::memory_order_relaxed)) {
      return owner ? begin : end - 1;
    }
  }
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
  TALLY_CHECK(parts <= kPartsMax);
  if (workers_.empty() || parts < 2 || !Open(parts, work)) {
    for (size_t part = 0; part < parts; ++part) work(part, 0);
    return;
  }
  wake_.notify_all();
  TakeParts(work, 0);
  std::unique_lock lock(mutex_);
  // No part is left, so a worker that has not joined in yet need not.
  work_ = nullptr;
  while (active_ > 0) idle_.wait(lock);
  busy_ = false;
}

bool WorkerPool::Open(size_t parts, const Work& work) {
  const std::lock_guard lock(mutex_);
  if (busy_) return false;
  const size_t count = threads();
  for (size_t t = 0; t < count; ++t) {
    shares_[t].left.store(Pack(parts * t / count, parts * (t + 1) / count),
                          std::memory_order_relaxed);
  }
  busy_ = true;
  work_ = &work;
  ++works_;
  return true;
}

void WorkerPool::TakeParts(Work work, size_t thread) {
  const size_t count = threads();
  for (size_t i = 0; i < count; ++i) {
    std::atomic<uint32_t>& share = shares_[(thread + i) % count].left;
    while (const std::optional<size_t> part = Take(share, i == 0)) work(*part, thread);
  }
}

void WorkerPool::WorkerMain(size_t thread) {
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  for (;;) {
    while (!stopping_ && (work_ == nullptr || works_ == seen)) wake_.wait(lock);
    if (stopping_) return;
    seen = works_;
    ++active_;
    const Work work = *work_;
    lock.unlock();
    TakeParts(work, thread);
    lock.lock();
    if (--active_ == 0) idle_.notify_one();
  }
}

}  // namespace tally
