// Goal: models appear, move and disappear whole, within limits, and one bad model does not harm the
// others. Method: a registry on a disk in memory, with restarts, damage and a second registry
// beside it.

#include "daemon/hosting/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/host_probe.h"
#include "tests/support/manual_clock.h"
#include "tests/support/tiny_model.h"

namespace tally::hosting {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TinyPacket;
using testing::TinySpec;

class RegistryTest : public ::testing::Test {
 protected:
  RegistryTest() { options_.state_dir = "/state"; }

  void Open() {
    auto registry = Registry::Open(
        fs_, clock_, options_,
        [this](const std::string& name, bool serving) {
          MutexLock lock(mutex_);
          states_[name].push_back(serving);
        },
        [this](const absl::Status& cause) {
          MutexLock lock(mutex_);
          fatal_.push_back(cause);
        });
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    registry_->WaitRecovered([](std::string_view) {});
  }
  std::shared_ptr<ModelHost> Create(const std::string& name) {
    auto host = registry_->Create(TinySpec(name));
    EXPECT_TRUE(host.ok()) << host.status();
    return host.ok() ? *host : nullptr;
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& host : registry_->List()) names.push_back(host->name());
    return names;
  }
  std::vector<bool> States(const std::string& name) {
    MutexLock lock(mutex_);
    return states_[name];
  }
  int64_t Soon() { return clock_.MonotonicNs() + 60'000'000'000; }
  // Sends and flushes; the digest afterwards.
  std::string Teach(ModelHost& host, uint64_t first, uint32_t count) {
    EXPECT_TRUE(host.Append(TinyPacket("a", first, count)).ok());
    const auto flushed = host.Flush(Soon());
    EXPECT_TRUE(flushed.ok()) << flushed.status();
    return flushed.ok() ? flushed->state_digest : "";
  }

  storage::FaultFileSystem fs_;
  storage::ManualClock clock_;
  RegistryOptions options_;
  Mutex mutex_;
  std::map<std::string, std::vector<bool>> states_;
  std::vector<absl::Status> fatal_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, CreatesModelsThatAreReadyAndStay) {
  Open();
  std::shared_ptr<ModelHost> host = Create("digits");
  EXPECT_EQ(host->status().state, ModelState::kReady);
  EXPECT_EQ(host->spec()->name, "digits");
  Create("bells");
  EXPECT_THAT(Names(), ElementsAre("bells", "digits"));
  const std::string digest = Teach(*host, 1, 10);
  host = nullptr;
  registry_ = nullptr;
  fs_.Reboot(1);
  Open();
  EXPECT_THAT(Names(), ElementsAre("bells", "digits"));
  EXPECT_EQ((*registry_->Find("digits"))->Digest(Soon())->state_digest, digest);
}

TEST_F(RegistryTest, TellsWhenModelsBeginAndCeaseToServe) {
  Open();
  Create("digits");
  EXPECT_THAT(States("digits"), ElementsAre(false, true));
  ASSERT_TRUE(registry_->Delete("digits").ok());
  EXPECT_FALSE(States("digits").back());
  Create("bells");
  ASSERT_TRUE(registry_->DrainAll(Soon()).ok());
  EXPECT_THAT(States("bells"), ElementsAre(false, true, false));
}

TEST_F(RegistryTest, NamesTheNearestModel) {
  Open();
  Create("digits");
  const absl::Status status = registry_->Find("digit").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("did you mean \"digits\"?"));
}

TEST_F(RegistryTest, RefusesBadAndExistingAndTooManyModels) {
  options_.models_max = 2;
  Open();
  Create("digits");
  EXPECT_EQ(registry_->Create(TinySpec("digits")).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(registry_->Create(TinySpec("Digits!")).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry_->Create(TinySpec("")).status().code(), absl::StatusCode::kInvalidArgument);
  ModelSpec wrong = TinySpec("wrong");
  wrong.classes = 7;
  EXPECT_EQ(registry_->Create(wrong).status().code(), absl::StatusCode::kInvalidArgument);
  ModelSpec reference = TinySpec("reference");
  reference.pocketnn.profile = PocketNnProfile::kReference;
  EXPECT_FALSE(registry_->Create(reference).ok());
  Create("bells");
  const absl::Status third = registry_->Create(TinySpec("third")).status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(third.message()), HasSubstr("limits.models"));
  registry_->UpdateLimits(3, options_.parameters_max, 5);
  Create("third");
  EXPECT_THAT(Names(), ElementsAre("bells", "digits", "third"));
}

TEST_F(RegistryTest, AdmitsByParametersAndMemory) {
  options_.parameters_max = 2 * ParameterCount(TinySpec("x")) + 1;
  Open();
  Create("a");
  Create("b");
  const absl::Status third = registry_->Create(TinySpec("c")).status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(third.message()), HasSubstr("limits.parameters"));
  ASSERT_TRUE(registry_->Delete("a").ok());
  Create("c");
  ModelSpec hungry = TinySpec("hungry", 4, /*calibration_samples=*/65536);
  registry_->UpdateLimits(16, 1u << 30, 5);
  hungry.input.shape = {1u << 16};
  EXPECT_THAT(std::string(registry_->Create(hungry).status().message()), HasSubstr("memory"));
}

TEST_F(RegistryTest, LocksTheStateDirectory) {
  Open();
  const absl::Status second = Registry::Open(fs_, clock_, options_, nullptr, nullptr).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.message()), HasSubstr("process"));
  EXPECT_THAT(std::string(second.message()), HasSubstr("/state"));
}

TEST_F(RegistryTest, DeletesAndMakesAgainUnderTheSameName) {
  Open();
  std::shared_ptr<ModelHost> old = Create("digits");
  const std::string fresh = old->Digest(Soon())->state_digest;
  Teach(*old, 1, 10);
  const std::shared_ptr<const Snapshot> snapshot = old->snapshot();
  ASSERT_TRUE(registry_->Delete("digits").ok());
  EXPECT_EQ(registry_->Find("digits").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_->Delete("digits").code(), absl::StatusCode::kNotFound);
  // Whoever still holds the old one is told, and can finish a request on its snapshot.
  EXPECT_EQ(old->Append(TinyPacket("a", 11, 1)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(old->Flush(Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(old->Checkpoint(Soon()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(old->ListCheckpoints().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(old->WaitTrained(999, Soon()).code(), absl::StatusCode::kNotFound);
  std::vector<int32_t> scores(3);
  const std::string row = testing::TinyRow("a", 1);
  snapshot->predictor->Predict({std::as_bytes(std::span<const char>(row)), 1}, scores);
  std::shared_ptr<ModelHost> again = Create("digits");
  EXPECT_EQ(again->Digest(Soon())->state_digest, fresh);
  EXPECT_EQ(again->source("a").accepted_through, 0u);
  old = nullptr;
  Teach(*again, 1, 4);
}

TEST_F(RegistryTest, ImportsWhatWasExported) {
  Open();
  std::shared_ptr<ModelHost> host = Create("digits");
  const std::string digest = Teach(*host, 1, 10);
  const auto saved = host->Checkpoint(Soon());
  ASSERT_TRUE(saved.ok());
  const auto bytes = host->ReadCheckpoint(saved->position);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(registry_->Import("", *bytes).status().code(), absl::StatusCode::kAlreadyExists);
  const auto copy = registry_->Import("copy", *bytes);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->name(), "copy");
  EXPECT_EQ((*copy)->spec()->name, "copy");
  EXPECT_EQ((*copy)->Digest(Soon())->state_digest, digest);
  // The state came along, its history did not.
  EXPECT_EQ((*copy)->status().prequential.seen, 0u);
  EXPECT_EQ((*copy)->status().trained_position, 0u);
  EXPECT_EQ((*copy)->source("a").accepted_through, 0u);
  // Both learn the same from here.
  EXPECT_TRUE((*copy)->Append(TinyPacket("b", 1, 8)).ok());
  EXPECT_TRUE(host->Append(TinyPacket("b", 1, 8)).ok());
  EXPECT_EQ((*copy)->Flush(Soon())->state_digest, host->Flush(Soon())->state_digest);
}

TEST_F(RegistryTest, RefusesDamagedAndForeignImportsAndKeepsNothing) {
  Open();
  std::shared_ptr<ModelHost> host = Create("digits");
  std::string bytes = *host->ReadCheckpoint(0);
  std::string damaged = bytes;
  damaged[damaged.size() - 3] ^= 4;
  EXPECT_EQ(registry_->Import("copy", damaged).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(registry_->Import("copy", "not a checkpoint").ok());
  EXPECT_FALSE(registry_->Import("copy", "").ok());
  EXPECT_FALSE(registry_->Import("Bad Name", bytes).ok());
  EXPECT_THAT(Names(), ElementsAre("digits"));
  EXPECT_FALSE(fs_.IsDirectory("/state/models/copy").ok());
}

TEST_F(RegistryTest, ServesTheOthersWhenOneModelIsUnusable) {
  Open();
  Create("bells");
  Create("digits");
  registry_ = nullptr;
  for (const auto& [path, bytes] : fs_.Files()) {
    if (path.find("digits/checkpoints") != std::string::npos) fs_.WriteRaw(path, "rubbish");
  }
  Open();
  EXPECT_THAT(Names(), ElementsAre("bells", "digits"));
  const HostStatus bad = (*registry_->Find("digits"))->status();
  EXPECT_EQ(bad.state, ModelState::kFailed);
  EXPECT_EQ((*registry_->Find("digits"))->spec(), nullptr);
  Teach(**registry_->Find("bells"), 1, 4);
  // It can be removed and made anew.
  ASSERT_TRUE(registry_->Delete("digits").ok());
  Create("digits");
}

TEST_F(RegistryTest, KeepsNothingOfACreationWithoutSpace) {
  Open();
  bool created = false;
  for (uint64_t k = 1; !created; ++k) {
    SCOPED_TRACE(::testing::Message() << "k=" << k);
    ASSERT_LT(k, 100u);
    fs_.FailCall(fs_.mutating_calls() + k, absl::ResourceExhaustedError("No space left on device"),
                 /*sticky=*/true);
    const auto host = registry_->Create(TinySpec("digits"));
    fs_.ClearFaults();
    created = host.ok();
    if (created) break;
    EXPECT_EQ(host.status().code(), absl::StatusCode::kResourceExhausted) << host.status();
    EXPECT_TRUE(Names().empty());
    EXPECT_FALSE(fs_.IsDirectory("/state/models/digits").ok());
  }
  Teach(**registry_->Find("digits"), 1, 5);
  EXPECT_TRUE(fatal_.empty());
}

TEST_F(RegistryTest, TellsOnceThatTheDiskCannotBeTrusted) {
  Open();
  std::shared_ptr<ModelHost> one = Create("one");
  std::shared_ptr<ModelHost> two = Create("two");
  fs_.FailCall(fs_.mutating_calls() + 1, absl::DataLossError("Input/output error"),
               /*sticky=*/true);
  EXPECT_FALSE(one->Append(TinyPacket("a", 1, 1)).ok());
  EXPECT_FALSE(two->Append(TinyPacket("a", 1, 1)).ok());
  one = nullptr;
  two = nullptr;
  registry_ = nullptr;
  EXPECT_EQ(fatal_.size(), 1u);
}

TEST_F(RegistryTest, FeedsTheWatchdogWhileIdleOrMoving) {
  Open();
  std::shared_ptr<ModelHost> host = Create("digits");
  testing::HostProbe probe(*host);
  probe.WaitIdle();
  EXPECT_TRUE(registry_->MadeProgress());
  EXPECT_TRUE(registry_->MadeProgress());  // idle
  {
    testing::HostGate gate(*host);
    gate.Close([&] { return host->status().trained_position == 4; });
    EXPECT_TRUE(host->Append(TinyPacket("a", 1, 4)).ok());
    gate.WaitHeld();
    EXPECT_TRUE(host->Append(TinyPacket("a", 5, 4)).ok());
    EXPECT_TRUE(registry_->MadeProgress());   // the first packet was trained meanwhile
    EXPECT_FALSE(registry_->MadeProgress());  // stuck, with work waiting
  }
  probe.WaitIdle();
  EXPECT_TRUE(registry_->MadeProgress());
}

// A disk whose checkpoints cannot be read until it is released.
class StuckFileSystem final : public storage::FaultFileSystem {
 public:
  absl::StatusOr<std::string> ReadFile(const std::string& path) override {
    MutexLock lock(mutex_);
    while (stuck_) changed_.Wait(mutex_);
    return FaultFileSystem::ReadFile(path);
  }
  void Set(bool stuck) {
    MutexLock lock(mutex_);
    stuck_ = stuck;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool stuck_ = false;
};

TEST_F(RegistryTest, ARecoveryThatHangsDoesNotAskForMoreTime) {
  StuckFileSystem disk;
  const auto open = [&] {
    auto registry = Registry::Open(
        disk, clock_, options_, [](const std::string&, bool) {}, [](const absl::Status&) {});
    EXPECT_TRUE(registry.ok()) << registry.status();
    return *std::move(registry);
  };
  ASSERT_TRUE(open()->Create(TinySpec("digits")).ok());
  disk.Set(true);
  const auto registry = open();
  std::atomic<int> lines = 0;
  std::thread waiter([&] { registry->WaitRecovered([&](std::string_view) { ++lines; }); });
  for (int i = 0; i < 25; ++i) {
    clock_.AdvanceNs(2'000'000'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the waiter looks once a second
  }
  EXPECT_EQ(lines, 0);
  disk.Set(false);
  waiter.join();
  EXPECT_EQ((*registry->Find("digits"))->status().state, ModelState::kReady);
}

TEST_F(RegistryTest, DrainsAllModels) {
  Open();
  std::shared_ptr<ModelHost> one = Create("one");
  std::shared_ptr<ModelHost> two = Create("two");
  EXPECT_TRUE(one->Append(TinyPacket("a", 1, 9)).ok());
  EXPECT_TRUE(two->Append(TinyPacket("a", 1, 5)).ok());
  ASSERT_TRUE(one->WaitTrained(8, Soon()).ok());
  ASSERT_TRUE(two->WaitTrained(4, Soon()).ok());
  ASSERT_TRUE(registry_->DrainAll(Soon()).ok());
  EXPECT_EQ(one->ListCheckpoints()->back().position, 8u);
  EXPECT_EQ(two->ListCheckpoints()->back().position, 4u);
  EXPECT_EQ(one->Append(TinyPacket("a", 10, 1)).status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tally::hosting
