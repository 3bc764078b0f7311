#include "daemon/rpc/work_pool.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

namespace tally::rpc {

struct WorkPool::Impl {
  Impl(size_t threads, size_t pending_limit) : pending_max(pending_limit), pool(threads) {}

  const size_t pending_max;
  std::atomic<size_t> pending{0};
  boost::asio::thread_pool pool;
};

WorkPool::WorkPool(size_t threads, size_t pending_max)
    : impl_(std::make_unique<Impl>(threads, pending_max)) {}

WorkPool::~WorkPool() { impl_->pool.join(); }

bool WorkPool::TryRun(std::function<void()> work) {
  if (impl_->pending.fetch_add(1) >= impl_->pending_max) {
    impl_->pending.fetch_sub(1);
    return false;
  }
  boost::asio::post(impl_->pool, [impl = impl_.get(), work = std::move(work)] {
    work();
    impl->pending.fetch_sub(1);
  });
  return true;
}

void WorkPool::Run(std::function<void()> work) { boost::asio::post(impl_->pool, std::move(work)); }

}  // namespace tally::rpc
