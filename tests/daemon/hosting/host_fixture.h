// A disk in memory with one tiny model on it, and a host that tests start, stop and start again.
// Every suite of it runs for each algorithm.

#ifndef TALLY_TESTS_DAEMON_HOSTING_HOST_FIXTURE_H_
#define TALLY_TESTS_DAEMON_HOSTING_HOST_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "daemon/hosting/model_host.h"
#include "daemon/hosting/running_host.h"
#include "daemon/storage/record.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/host_probe.h"
#include "tests/support/manual_clock.h"
#include "tests/support/tiny_model_test.h"

namespace tally::hosting {

using testing::PlainTrainer;
using testing::TinyPacket;

class HostTest : public testing::TinyModelTest {
 protected:
  static constexpr char kStateDir[] = "/state";
  static constexpr char kModel[] = "digits";

  // Makes the model's directory; once a test.
  void Create(const ModelSpec& spec);
  // Starts the host on what is on the disk and waits until it has recovered.
  void Start();
  void Stop();
  void Restart() {
    Stop();
    Start();
  }
  // Stop, power loss (or kill -9), reboot, start.
  void CrashAndRestart(storage::CrashKind kind, uint64_t seed = 1);

  AppendResult Send(const std::string& source, uint64_t first_sequence, uint32_t count);
  // Until everything that can be trained is trained.
  void Settle();
  ModelHost::FlushResult Flush();
  CheckpointInfo Checkpoint();
  CheckpointInfo Rollback(uint64_t position);
  std::string Digest();
  int64_t Soon() { return clock_.MonotonicNs() + 60'000'000'000; }

  // Everything the journal holds, in order.
  std::vector<storage::Record> ReadJournal();
  std::vector<uint64_t> KeptPositions();
  size_t FilesIn(const std::string& folder);
  // Changes one byte in the middle of a generation's file.
  void Damage(uint64_t position);
  std::string GenerationPath(uint64_t position) const;

  storage::FaultFileSystem fs_;
  storage::ManualClock clock_;
  HostOptions options_;
  std::vector<absl::Status> fatal_;  // read it when the host's threads are still
  std::unique_ptr<RunningHost> host_;
  std::unique_ptr<testing::HostProbe> probe_;
};

}  // namespace tally::hosting

#endif  // TALLY_TESTS_DAEMON_HOSTING_HOST_FIXTURE_H_
