// A training through the real client on a thread of its own, and its progress for the thread that
// disturbs it.

#ifndef TALLY_TESTS_DAEMON_E2E_TRAINING_UNDER_WATCH_H_
#define TALLY_TESTS_DAEMON_E2E_TRAINING_UNDER_WATCH_H_

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "client/cli/remote_training.h"

namespace tally::e2e {

class TrainingUnderWatch : private cli::RemoteTrainingObserver {
 public:
  // The arguments outlive this object. Held as HoldBeyond says, from the first sample on.
  TrainingUnderWatch(const Client& client, const Dataset& dataset,
                     const cli::RemoteTrainingOptions& options, uint64_t hold_beyond = UINT64_MAX)
      : limit_(hold_beyond), thread_([this, &client, &dataset, options] {
          auto result = cli::TrainRemotely(client, dataset, options, *this);
          const std::lock_guard lock(mutex_);
          result_ = std::move(result);
          changed_.notify_all();
        }) {}
  ~TrainingUnderWatch() {
    HoldBeyond(UINT64_MAX);
    Join();
  }

  // Holds the training once more than so many samples are accepted, so that on a busy machine it
  // cannot run to its end before the thread that disturbs it gets a turn.
  void HoldBeyond(uint64_t samples) {
    const std::lock_guard lock(mutex_);
    limit_ = samples;
    changed_.notify_all();
  }

  // Waits until so many samples are acknowledged as accepted; false if the training ended before.
  bool WaitForAccepted(uint64_t samples) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return result_.has_value() || accepted_ >= samples; });
    return !result_.has_value();
  }

  // The highest acknowledgements seen so far.
  uint64_t accepted() const {
    const std::lock_guard lock(mutex_);
    return accepted_;
  }
  uint64_t durable() const {
    const std::lock_guard lock(mutex_);
    return durable_;
  }

  const absl::StatusOr<cli::RemoteTrainingReport>& Join() {
    if (thread_.joinable()) thread_.join();
    return *result_;
  }

 private:
  void OnProgress(const TrainProgress& progress) override {
    std::unique_lock lock(mutex_);
    accepted_ = std::max(accepted_, progress.source.accepted_through());
    durable_ = std::max(durable_, progress.source.durable_through());
    changed_.notify_all();
    changed_.wait(lock, [&] { return accepted_ <= limit_; });
  }
  void OnInterruption(const absl::Status&, std::chrono::milliseconds) override {}
  void OnEpoch(uint32_t, const v1::FlushResponse&) override {}

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t accepted_ = 0;
  uint64_t durable_ = 0;
  uint64_t limit_;
  std::optional<absl::StatusOr<cli::RemoteTrainingReport>> result_;
  std::thread thread_;
};

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_TRAINING_UNDER_WATCH_H_
