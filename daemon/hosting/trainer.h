// The training thread of one model: recovers it, trains, publishes, saves.

#ifndef TALLY_DAEMON_HOSTING_TRAINER_H_
#define TALLY_DAEMON_HOSTING_TRAINER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/courtesy.h"
#include "daemon/hosting/generations.h"
#include "daemon/hosting/host_context.h"
#include "daemon/hosting/intake.h"
#include "daemon/hosting/journal_survey.h"
#include "daemon/hosting/recovery.h"
#include "daemon/hosting/training_lane.h"
#include "daemon/storage/segment_end_store.h"

namespace tally::hosting {

// Owns the mutable model. Everything but the constructor runs on the one thread that calls Run;
// other threads reach it through the inbox.
class Trainer {
 public:
  Trainer(HostContext& host, Intake& intake, Generations& generations);

  // Recovers, then works until the inbox is stopped or the host fails.
  void Run();

  // Commands, called between two steps.
  absl::StatusOr<ModelHost::DigestResult> Digest();
  absl::StatusOr<CheckpointInfo> Checkpoint();
  // Every record has been taken and no new one can come.
  absl::StatusOr<CheckpointInfo> Rollback(uint64_t position);
  absl::StatusOr<CheckpointInfo> FinalCheckpoint();

 private:
  // --- starting ---
  bool Recover();
  void Adopt(Recovered recovered);
  void FailRecovery(const absl::Status& cause);

  // --- the loop ---
  void Work();
  void TakeEntry(TrainerInbox::Entry entry);
  void Step();
  void AfterRecord();
  void GoIdle();
  void Notify();
  void NotifySometimes();

  // --- what follows from a step ---
  const std::string& CurrentDigest();
  // Appends a digest record unless this state has one.
  void JournalDigest();
  bool PublishDue() const;
  // When an idle trainer may publish: at once, unless the model is so large that copying it for
  // every packet would cost more than training.
  int64_t IdlePublishNs() const;
  void Publish();
  int64_t CheckpointCostNs() const;
  void CheckpointIfDue();
  // Room in a journal that nears its limit: a generation now, and no journal behind it.
  void RelieveJournal();
  bool JournalCrowded() const;

  // --- saving ---
  absl::StatusOr<CheckpointInfo> RollBackTo(uint64_t position);
  absl::StatusOr<CheckpointInfo> WriteGeneration();
  absl::StatusOr<CheckpointInfo> SyncAndWrite();
  // Recovery from the next generation will not pass these ends again.
  absl::Status StoreSegmentEnds();
  void Prune();
  void PruneJournal(uint64_t through_position);
  void Warn(std::string_view what, const absl::Status& status);

  HostContext& host_;
  Intake& intake_;
  Generations& generations_;
  std::unique_ptr<TrainingLane> lane_;
  std::vector<RollbackMark> rollbacks_;

  storage::SegmentEndStore segment_end_store_;
  std::vector<storage::SegmentEnd> segment_ends_;  // passed and not stored yet

  // The flush being trained, if somebody waits for it.
  std::shared_ptr<FlushAnswer> flush_;
  uint64_t flush_position_ = 0;  // 0: none

  // Digests by TrainingLane::changes().
  static constexpr uint64_t kNever = ~uint64_t{0};
  std::string digest_;
  uint64_t digest_changes_ = kNever;
  uint64_t journalled_changes_ = kNever;

  std::shared_ptr<const Snapshot> published_;
  uint64_t published_changes_ = kNever;
  uint64_t published_step_ = 0;
  uint64_t published_position_ = 0;
  int64_t published_ns_ = 0;
  int64_t publish_cost_ns_ = 0;

  int64_t cost_ns_ = 0;       // training time that a replay from the newest generation would repeat
  int64_t next_save_ns_ = 0;  // not before this time, unless asked
  int64_t next_relief_ns_ = 0;   // the same for making room in the journal
  uint64_t relieved_bytes_ = 0;  // size of the journal after the last RelieveJournal
  int64_t notified_ns_ = 0;

  Courtesy courtesy_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_TRAINER_H_
