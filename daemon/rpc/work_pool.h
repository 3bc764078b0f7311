// A few threads for calls that wait: for the disk, for the trainer. gRPC's own threads must not.

#ifndef TALLY_DAEMON_RPC_WORK_POOL_H_
#define TALLY_DAEMON_RPC_WORK_POOL_H_

#include <cstddef>
#include <functional>
#include <memory>

namespace tally::rpc {

class WorkPool {
 public:
  // At most `pending_max` calls run or wait at a time.
  WorkPool(size_t threads, size_t pending_max);
  ~WorkPool();  // runs what was taken, then stops

  // False if the pool is full; `work` is then not run.
  bool TryRun(std::function<void()> work);
  // For work whose amount is bounded elsewhere.
  void Run(std::function<void()> work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_WORK_POOL_H_
