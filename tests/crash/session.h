// A scripted session, the client that runs it in spite of crashes, and the oracle of its result.

#ifndef TALLY_TESTS_CRASH_SESSION_H_
#define TALLY_TESTS_CRASH_SESSION_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"
#include "daemon/hosting/registry.h"
#include "tests/support/audit.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/host_probe.h"
#include "tests/support/manual_clock.h"

namespace tally::testing {

struct Step {
  enum class Kind : uint8_t {
    kSend,         // a packet, acknowledged as buffered
    kSendDurable,  // a packet, acknowledged as durable
    kFlush,
    kCheckpoint,
    kRollback,  // to the generation of the last kCheckpoint
    kRestart,   // drain, stop, start again
  };
  Kind kind = Kind::kSend;
  std::string source;
  uint64_t first_sequence = 0;
  uint32_t count = 0;
};

std::vector<Step> Script();

struct Outcome {
  std::string state_digest;
  uint64_t step = 0;
  uint64_t seen = 0;
  std::map<std::string, uint64_t> accepted;

  bool operator==(const Outcome&) const = default;
};

// What the script must lead to, by a plain trainer.
Outcome Oracle(const ModelSpec& spec, const std::vector<Step>& script);

// A client and the daemon's registry in one process. After a crash the test reboots the file system
// and calls Run again, as often as it likes; the client knows only what was acknowledged to it.
class Session {
 public:
  Session(storage::FaultFileSystem& fs, const ModelSpec& spec, std::vector<Step> script);
  ~Session();

  // Starts the daemon and works through what is left of the script. True when the whole script is
  // done; false if the file system crashed first, or failed in a way that needs a restart. Anything
  // else fails the test.
  bool Run();
  // After Run has returned true.
  Outcome Finish();
  // What an auditor finds on the disk. Call it when the daemon has ended.
  Audit AuditDisk();
  // Ends the daemon without a drain.
  void Kill();

  // Whether everything that was written survives the next reboot (kill -9), or only what was
  // durable.
  void ExpectBufferedSurvives(bool survives) { buffered_survives_ = survives; }
  // The disk returns errors: those without space are tried again once, others end the run.
  void ExpectDiskErrors() { disk_errors_ = true; }

 private:
  absl::Status Start();
  absl::Status CheckPromises();
  absl::Status Do(size_t index);
  absl::Status Send(const Step& step);
  absl::Status SendDurable(const Step& step);
  absl::Status Restart();
  // Everything sent so far and all steps before are known to be on stable storage.
  void NoteDurable(size_t index);
  int64_t Soon() { return clock_.MonotonicNs() + 60'000'000'000; }

  storage::FaultFileSystem& fs_;
  const ModelSpec spec_;
  const std::vector<Step> script_;
  storage::ManualClock clock_;
  bool buffered_survives_ = false;
  bool disk_errors_ = false;

  // What the client knows.
  bool created_ = false;
  std::vector<bool> acknowledged_;  // by step; such a step is not asked for again, packets excepted
  size_t resume_ = 0;               // everything before is durable
  uint64_t target_ = 0;             // generation of the last kCheckpoint
  std::map<std::string, uint64_t> durable_;
  std::map<std::string, uint64_t> accepted_;

  std::unique_ptr<hosting::Registry> registry_;
  std::shared_ptr<hosting::ModelHost> host_;
  std::unique_ptr<HostProbe> probe_;
};

}  // namespace tally::testing

#endif  // TALLY_TESTS_CRASH_SESSION_H_
