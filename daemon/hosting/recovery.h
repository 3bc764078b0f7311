// From what is on disk to a running model: newest good generation, then verified replay.

#ifndef TALLY_DAEMON_HOSTING_RECOVERY_H_
#define TALLY_DAEMON_HOSTING_RECOVERY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/generations.h"
#include "daemon/hosting/host_context.h"
#include "daemon/hosting/journal_survey.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/segment_end_store.h"

namespace tally::hosting {

struct Recovered {
  std::unique_ptr<TrainingLane> lane;
  std::unique_ptr<storage::Journal> journal;  // everything in it is durable
  std::vector<RollbackMark> rollbacks;
  std::vector<storage::SegmentEnd> segment_ends;  // passed by the replay and not stored yet
  DigestPoint digest_point;                       // the last one that was verified
  bool digest_is_current = false;                 // it is about the state now in the lane
  std::vector<std::string> warnings;
  int64_t training_ns = 0;  // what the replay cost
};

// Runs once, on the trainer thread. Nothing is skipped: damage that the generations and the journal
// cannot make good is an error, DATA_LOSS with the remedy. CANCELLED when the host is stopped
// meanwhile.
class Recovery {
 public:
  Recovery(HostContext& host, Generations& generations, storage::SegmentEndStore& segment_ends)
      : host_(host), generations_(generations), segment_ends_(segment_ends) {}

  absl::StatusOr<Recovered> Run();

 private:
  // OK if the journal continues the generation at `position`.
  absl::Status CheckExtent(uint64_t position) const;
  absl::Status ReplayRecord(storage::Record record);
  absl::Status ReplayRollback(const storage::RollbackRecord& rollback, storage::Record record);
  absl::Status CheckDigestRecord(const storage::DigestRecord& digest, uint64_t position) const;
  // Compares the lane's state with the journalled digest of its step, if there is one.
  absl::Status VerifyStep();
  // Compares the ends of segments that the replay has passed with the stored ones.
  absl::Status VerifySegmentEnds();
  absl::Status TrainTaken();
  absl::Status CheckStopped();
  void ShowProgress();

  HostContext& host_;
  Generations& generations_;
  storage::SegmentEndStore& segment_ends_;
  JournalSurvey survey_;
  Recovered result_;
  size_t era_ = 0;
  uint64_t first_step_ = 0;
  uint64_t steps_done_ = 0;
  uint64_t steps_expected_ = 0;
  uint64_t verified_changes_ = 0;  // lane->changes() at the last verified digest
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_RECOVERY_H_
