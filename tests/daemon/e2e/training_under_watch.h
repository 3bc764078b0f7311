// A training through the real client on a thread of its own, and its progress for the thread that
// disturbs it.

#ifndef TALLY_TESTS_DAEMON_E2E_TRAINING_UNDER_WATCH_H_
#define TALLY_TESTS_DAEMON_E2E_TRAINING_UNDER_WATCH_H_

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "client/cli/remote_training.h"

namespace tally::e2e {

class TrainingUnderWatch : private cli::RemoteTrainingObserver {
 public:
  // The arguments outlive this object.
  TrainingUnderWatch(const Client& client, const Dataset& dataset,
                     const cli::RemoteTrainingOptions& options)
      : thread_([this, &client, &dataset, options] {
          auto result = cli::TrainRemotely(client, dataset, options, *this);
          const std::lock_guard lock(mutex_);
          result_ = std::move(result);
          changed_.notify_all();
        }) {}
  ~TrainingUnderWatch() { Join(); }

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
    const std::lock_guard lock(mutex_);
    accepted_ = std::max(accepted_, progress.source.accepted_through());
    durable_ = std::max(durable_, progress.source.durable_through());
    changed_.notify_all();
  }
  void OnInterruption(const absl::Status&, std::chrono::milliseconds) override {}
  void OnEpoch(uint32_t, const v1::FlushResponse&) override {}

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t accepted_ = 0;
  uint64_t durable_ = 0;
  std::optional<absl::StatusOr<cli::RemoteTrainingReport>> result_;
  std::thread thread_;
};

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_TRAINING_UNDER_WATCH_H_
