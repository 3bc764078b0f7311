// Models whose every answer a test decides.

#ifndef TALLY_TESTS_DAEMON_RPC_FAKES_H_
#define TALLY_TESTS_DAEMON_RPC_FAKES_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "daemon/hosting/model_host.h"
#include "daemon/hosting/registry.h"
#include "daemon/storage/clock.h"

namespace tally::rpc {

// Two classes; the score of class c is the sum of the row's bytes if c equals the row's first byte
// modulo the number of classes, else c.
class FakePredictor : public Predictor {
 public:
  explicit FakePredictor(uint32_t classes) : classes_(classes) {}
  void Predict(const RowBatch& rows, std::span<int32_t> scores) const override;
  int64_t Loss(std::span<const int32_t> scores, uint32_t label) const override;

 private:
  const uint32_t classes_;
};

// 2 x 3 inputs, 3 classes "ant", "bee", "cat".
ModelSpec FakeSpec(const std::string& name, ElementType type = ElementType::kUint8);

class FakeHost : public hosting::ModelHost {
 public:
  explicit FakeHost(ModelSpec spec);

  // What the test decides.
  void SetState(hosting::ModelState state, const std::string& detail = "");
  void SetFailure(absl::StatusCode code);
  void SetSnapshot(bool present);
  void SetCheckpointBytes(size_t bytes) { checkpoint_bytes_ = bytes; }
  void SetSpec(std::shared_ptr<const ModelSpec> spec);
  void SetRoom(bool room);
  void SetAppendError(const absl::Status& status);
  void SetDurableAtOnce(bool at_once);
  void MakeDurable();  // everything appended
  void Train();        // everything appended
  void Notify();

  // What the test looks at.
  std::vector<storage::SamplesRecord> packets() const;
  uint64_t syncs_requested() const;  // both kinds
  uint64_t syncs_requested_now() const;
  size_t listeners() const;

  const std::string& name() const override { return name_; }
  std::shared_ptr<const ModelSpec> spec() const override;
  hosting::HostStatus status() const override;
  hosting::ModelState state() const override { return status().state; }
  absl::StatusOr<hosting::AppendResult> Append(storage::SamplesRecord&& packet) override;
  bool HasRoom(uint64_t bytes) override;
  void RequestSync(SyncWish wish) override;
  hosting::SourceProgress source(const std::string& source) const override;
  absl::Status WaitDurable(uint64_t position, int64_t deadline_ns) override;
  absl::Status WaitTrained(uint64_t position, int64_t deadline_ns) override;
  absl::StatusOr<FlushResult> Flush(int64_t deadline_ns) override;
  absl::StatusOr<DigestResult> Digest(int64_t deadline_ns) override;
  absl::StatusOr<hosting::CheckpointInfo> Checkpoint(int64_t deadline_ns) override;
  absl::StatusOr<std::vector<hosting::CheckpointInfo>> ListCheckpoints() override;
  absl::StatusOr<std::string> ReadCheckpoint(uint64_t position) override;
  absl::StatusOr<hosting::CheckpointInfo> Rollback(uint64_t position, int64_t deadline_ns) override;
  std::shared_ptr<const hosting::Snapshot> snapshot() const override;
  void AddListener(hosting::ProgressListener* listener) override;
  void RemoveListener(hosting::ProgressListener* listener) override;
  absl::Status Drain(int64_t deadline_ns) override;
  uint64_t heartbeat() const override { return 0; }
  bool idle() const override { return true; }

 private:
  const std::string name_;
  mutable std::mutex mutex_;
  std::mutex listeners_mutex_;
  std::shared_ptr<const ModelSpec> spec_;
  hosting::HostStatus status_;
  std::shared_ptr<const hosting::Snapshot> snapshot_;
  std::atomic<size_t> checkpoint_bytes_{3'000'000};
  std::map<std::string, hosting::SourceProgress> sources_;
  std::vector<storage::SamplesRecord> packets_;
  std::set<hosting::ProgressListener*> listeners_;
  absl::Status append_error_;
  bool room_ = true;
  bool durable_at_once_ = true;
  uint64_t syncs_requested_ = 0;
  uint64_t syncs_requested_now_ = 0;
};

class FakeRegistry : public hosting::Registry {
 public:
  std::shared_ptr<FakeHost> Add(const ModelSpec& spec);

  absl::StatusOr<std::shared_ptr<hosting::ModelHost>> Find(std::string_view name) const override;
  std::vector<std::shared_ptr<hosting::ModelHost>> List() const override;
  absl::StatusOr<std::shared_ptr<hosting::ModelHost>> Create(const ModelSpec& spec) override;
  absl::StatusOr<std::shared_ptr<hosting::ModelHost>> Import(std::string_view name,
                                                             std::string_view checkpoint) override;
  absl::Status Delete(std::string_view name) override;
  void WaitRecovered(const std::function<void(std::string_view)>&) override {}
  absl::Status DrainAll(int64_t) override { return absl::OkStatus(); }
  bool MadeProgress() override { return true; }
  void UpdateLimits(uint32_t, uint64_t, uint32_t) override {}

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<FakeHost>, std::less<>> hosts_;
};

// Moves only when told.
class FakeClock : public storage::Clock {
 public:
  int64_t MonotonicNs() override { return now_ns.load(); }
  void SleepMs(uint64_t ms) override { now_ns += static_cast<int64_t>(ms) * 1'000'000; }
  std::atomic<int64_t> now_ns{1'000'000'000};
};

}  // namespace tally::rpc

#endif  // TALLY_TESTS_DAEMON_RPC_FAKES_H_
