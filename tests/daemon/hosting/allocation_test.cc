// Goal: once warm, the daemon's way of a training step, and of a prediction beside it, allocates
// nothing.
// Method: a host trains one large packet while a listener, called on the trainer's thread between
// its steps, predicts and notes how much this thread has allocated. The source has a long name,
// which no string keeps inside itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <thread>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "daemon/hosting/running_host.h"
#include "daemon/storage/model_directory.h"
#include "tests/support/allocation_hook.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/host_probe.h"
#include "tests/support/ticking_clock.h"
#include "tests/support/tiny_model_test.h"

namespace tally::hosting {
namespace {

constexpr char kStateDir[] = "/state";
constexpr char kSource[] = "the-camera-above-the-door-of-the-second-shed";
constexpr uint32_t kBatch = 4;
constexpr uint32_t kSteps = 400;

// At each call: what this thread has allocated, in memory that is there beforehand.
class AllocationNotes final : public ProgressListener {
 public:
  explicit AllocationNotes(ModelHost& host) : host_(host) {
    notes_.reserve(10000);
    host_.AddListener(this);
  }
  ~AllocationNotes() override { host_.RemoveListener(this); }

  void OnProgress() override {
    const std::shared_ptr<const Snapshot> snapshot = host_.snapshot();
    snapshot->predictor->Predict({row_, 1}, scores_);
    const MutexLock lock(mutex_);  // the committer calls too
    if (notes_.size() == notes_.capacity()) return;
    notes_.push_back(
        {std::this_thread::get_id(), host_.heartbeat(), test::AllocationsOfThisThread()});
  }
  struct Note {
    std::thread::id thread;
    uint64_t heartbeat;
    uint64_t allocations;
  };
  std::vector<Note> Take() {
    const MutexLock lock(mutex_);
    return std::exchange(notes_, {});
  }

 private:
  ModelHost& host_;
  Mutex mutex_;
  std::vector<Note> notes_ TALLY_GUARDED_BY(mutex_);
  const std::array<std::byte, 6> row_ = {};
  std::array<int32_t, 3> scores_ = {};  // calls come one at a time
};

class AllocationTest : public testing::TinyModelTest {
 protected:
  AllocationTest() {
    // Neither a snapshot nor a digest while we count: they are made of new memory by design.
    options_.publish_interval_steps = uint64_t{1} << 40;
    options_.publish_interval_ms = uint64_t{1} << 40;
    options_.digest_interval_steps = uint64_t{1} << 40;
    options_.checkpoint_replay_ms = uint64_t{1} << 40;
    const ModelSpec spec = Tiny("digits", kBatch);
    EXPECT_TRUE(storage::OpenStateDirectory(fs_, kStateDir).ok());
    EXPECT_TRUE(
        storage::CreateModelDirectory(fs_, kStateDir, spec.name,
                                      EncodeCheckpoint(**MakeLearner(spec), EncodeStart({})))
            .ok());
    host_ = *RunningHost::Open(fs_, clock_, kStateDir, spec.name, options_, {});
    probe_ = std::make_unique<testing::HostProbe>(*host_);
    probe_->WaitIdle();
  }
  void Send(uint32_t samples) {
    ASSERT_TRUE(host_->Append(testing::TinyPacket(kSource, next_, samples)).ok());
    next_ += samples;
    probe_->WaitIdle();
  }

  storage::FaultFileSystem fs_;
  storage::TickingClock clock_;  // a step seems long, so that listeners are called between steps
  HostOptions options_;
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<testing::HostProbe> probe_;
  uint64_t next_ = 1;
};

TEST_P(AllocationTest, ATrainingStepAndAPredictionAllocateNothing) {
  Send(kBatch * 20);
  AllocationNotes notes(*host_);
  const uint64_t begin = host_->heartbeat();
  Send(kBatch * kSteps);
  // Calls between steps of the packet: the heartbeat counts them, and the packet's end.
  std::vector<AllocationNotes::Note> between;
  for (const AllocationNotes::Note& note : notes.Take()) {
    if (note.heartbeat > begin && note.heartbeat < begin + kSteps) between.push_back(note);
  }
  std::map<std::thread::id, size_t> calls;
  for (const AllocationNotes::Note& note : between) ++calls[note.thread];
  const auto trainer = std::max_element(calls.begin(), calls.end(),
                                        [](auto& a, auto& b) { return a.second < b.second; });
  ASSERT_TRUE(trainer != calls.end());
  EXPECT_GT(trainer->second, kSteps / 10);
  // From the second call on: the first prediction of a thread makes its scratch.
  std::vector<uint64_t> allocations;
  for (const AllocationNotes::Note& note : between) {
    if (note.thread == trainer->first) allocations.push_back(note.allocations);
  }
  allocations.erase(allocations.begin());
  EXPECT_THAT(allocations, ::testing::Each(allocations.front()));
}

INSTANTIATE_TEST_SUITE_P(EachAlgorithm, AllocationTest, testing::EachAlgorithm(),
                         testing::AlgorithmName);

}  // namespace
}  // namespace tally::hosting
