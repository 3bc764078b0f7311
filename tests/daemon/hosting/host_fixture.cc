#include "tests/daemon/hosting/host_fixture.h"

#include "absl/strings/str_cat.h"
#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/model_directory.h"

namespace tally::hosting {

void HostTest::Create(const ModelSpec& spec) {
  ASSERT_TRUE(storage::OpenStateDirectory(fs_, kStateDir).ok());
  auto learner = MakeLearner(spec);
  ASSERT_TRUE(learner.ok()) << learner.status();
  const absl::Status made = storage::CreateModelDirectory(
      fs_, kStateDir, spec.name, EncodeCheckpoint(**learner, EncodeStart({})));
  ASSERT_TRUE(made.ok()) << made;
}

void HostTest::Start() {
  HostHooks hooks;
  hooks.on_fatal = [this](const absl::Status& cause) { fatal_.push_back(cause); };
  auto host = RunningHost::Open(fs_, clock_, kStateDir, kModel, options_, std::move(hooks));
  ASSERT_TRUE(host.ok()) << host.status();
  host_ = *std::move(host);
  probe_ = std::make_unique<testing::HostProbe>(*host_);
  Settle();
}

void HostTest::Stop() {
  probe_ = nullptr;
  host_ = nullptr;
}

void HostTest::CrashAndRestart(storage::CrashKind kind, uint64_t seed) {
  fs_.CrashNow(kind);
  Stop();
  fs_.Reboot(seed);
  fatal_.clear();
  Start();
}

AppendResult HostTest::Send(const std::string& source, uint64_t first_sequence, uint32_t count) {
  auto result = host_->Append(TinyPacket(source, first_sequence, count));
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : AppendResult{};
}

void HostTest::Settle() { probe_->WaitIdle(); }

ModelHost::FlushResult HostTest::Flush() {
  auto result = host_->Flush(Soon());
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : ModelHost::FlushResult{};
}

CheckpointInfo HostTest::Checkpoint() {
  auto result = host_->Checkpoint(Soon());
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : CheckpointInfo{};
}

CheckpointInfo HostTest::Rollback(uint64_t position) {
  auto result = host_->Rollback(position, Soon());
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? *result : CheckpointInfo{};
}

std::string HostTest::Digest() {
  auto result = host_->Digest(Soon());
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->state_digest : "";
}

std::vector<storage::Record> HostTest::ReadJournal() {
  std::vector<storage::Record> records;
  const auto tail = storage::ScanJournal(fs_, storage::JournalPath(kStateDir, kModel), 0,
                                         [&](storage::Record record) {
                                           records.push_back(std::move(record));
                                           return absl::OkStatus();
                                         });
  EXPECT_TRUE(tail.ok()) << tail.status();
  return records;
}

std::vector<uint64_t> HostTest::KeptPositions() {
  std::vector<uint64_t> positions;
  const auto kept = host_->ListCheckpoints();
  EXPECT_TRUE(kept.ok()) << kept.status();
  if (kept.ok()) {
    for (const CheckpointInfo& info : *kept) positions.push_back(info.position);
  }
  return positions;
}

size_t HostTest::FilesIn(const std::string& folder) {
  const auto names = fs_.ListDirectory(absl::StrCat(kStateDir, "/models/", kModel, "/", folder));
  EXPECT_TRUE(names.ok()) << names.status();
  return names.ok() ? names->size() : 0;
}

void HostTest::Damage(uint64_t position) {
  auto bytes = fs_.ReadFile(GenerationPath(position));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  (*bytes)[bytes->size() - 10] ^= 0x10;
  fs_.WriteRaw(GenerationPath(position), *bytes);
}

std::string HostTest::GenerationPath(uint64_t position) const {
  return storage::CheckpointStore(const_cast<storage::FaultFileSystem&>(fs_),
                                  storage::CheckpointsPath(kStateDir, kModel))
      .PathOf(position);
}

}  // namespace tally::hosting
