#include "daemon/hosting/trainer.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <variant>

#include "absl/strings/str_join.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/waiting.h"
#include "daemon/platform/memory.h"

namespace tally::hosting {
namespace {

// Listeners hear of progress at most so often while there is more to do.
constexpr int64_t kNotifyNs = 10 * kNsPerMs;
// After a generation could not be written, the next automatic attempt waits at least so long.
constexpr uint64_t kRetrySaveMs = 5000;

}  // namespace

Trainer::Trainer(HostContext& host, Intake& intake, Generations& generations)
    : host_(host),
      intake_(intake),
      generations_(generations),
      segment_end_store_(host.fs, host.journal_path),
      courtesy_(host.clock, std::this_thread::yield) {}

void Trainer::Run() {
  if (Recover()) Work();
  // The state has changed for good; whoever listens shall see it.
  Notify();
}

bool Trainer::Recover() {
  absl::StatusOr<Recovered> recovered = Recovery(host_, generations_, segment_end_store_).Run();
  if (!recovered.ok()) {
    if (!absl::IsCancelled(recovered.status())) FailRecovery(recovered.status());
    return false;
  }
  Adopt(*std::move(recovered));
  return true;
}

void Trainer::Adopt(Recovered recovered) {
  lane_ = std::move(recovered.lane);
  rollbacks_ = std::move(recovered.rollbacks);
  segment_ends_ = std::move(recovered.segment_ends);
  cost_ns_ = recovered.training_ns;
  next_save_ns_ = DeadlineAfterMs(host_.clock.MonotonicNs(), host_.options.checkpoint_interval_ms);
  if (recovered.digest_is_current) {
    digest_ = recovered.digest_point.state_digest;
    digest_changes_ = lane_->changes();
    journalled_changes_ = lane_->changes();
  }
  Publish();
  if (lane_->calibrating()) {
    intake_.SetCalibrationMissing(lane_->learner().calibration_samples_wanted() -
                                  lane_->pending_rows());
  }
  const uint64_t journal_bytes = recovered.journal->size_bytes();
  const uint64_t last_position = recovered.journal->next_position() - 1;
  intake_.Open(std::move(recovered.journal));
  host_.state.Recovered(*lane_, last_position, std::move(recovered.digest_point), journal_bytes,
                        absl::StrJoin(recovered.warnings, "; "));
  platform::ReturnUnusedMemory();
}

// Training is refused from now on, but the newest generation that verifies can still be served.
void Trainer::FailRecovery(const absl::Status& cause) {
  if (const std::optional<CheckpointInfo> newest = generations_.Newest()) {
    absl::StatusOr<Generation> generation = generations_.Load(newest->position);
    if (generation.ok() && generation->learner->calibration_samples_wanted() == 0) {
      if (host_.state.spec() == nullptr) host_.SetSpec(generation->learner->spec());
      auto snapshot = std::make_shared<Snapshot>();
      snapshot->predictor = generation->learner->MakePredictor();
      snapshot->spec = host_.state.spec();
      snapshot->position = newest->position;
      snapshot->step = newest->step;
      snapshot->state_digest = newest->state_digest;
      host_.state.Publish(std::move(snapshot), generation->learner->Counters());
    }
  }
  host_.state.Fail(cause, /*fatal=*/false);
  host_.inbox.Stop(host_.state.CheckAlive());
}

void Trainer::Work() {
  Notify();
  while (!host_.inbox.stopped()) {
    const bool ready = lane_->StepReady();
    if (std::optional<TrainerInbox::Command> command = host_.inbox.TakeCommand(!ready)) {
      command->run();
      host_.heartbeat.fetch_add(1, std::memory_order_relaxed);
    } else if (ready) {
      Step();
      if (!lane_->StepReady()) AfterRecord();
    } else if (std::optional<TrainerInbox::Entry> entry = host_.inbox.TakeEntry()) {
      TakeEntry(*std::move(entry));
    } else {
      GoIdle();
    }
  }
}

void Trainer::TakeEntry(TrainerInbox::Entry entry) {
  if (std::holds_alternative<storage::FlushRecord>(entry.record.body)) {
    flush_position_ = entry.record.first_position;
    flush_ = std::move(entry.flush);
  }
  if (const absl::Status taken = lane_->Take(std::move(entry.record)); !taken.ok()) {
    // Replay would refuse the record as well, so a restart would not help.
    host_.state.Fail(taken, /*fatal=*/false);
    host_.inbox.Stop(host_.state.CheckAlive());
    return;
  }
  host_.state.Progress(*lane_);
  if (host_.inbox.TakeRelief()) Notify();
  if (!lane_->StepReady()) AfterRecord();
}

void Trainer::Step() {
  const int64_t begin_ns = host_.clock.MonotonicNs();
  lane_->Step();
  cost_ns_ += host_.clock.MonotonicNs() - begin_ns;
  host_.heartbeat.fetch_add(1, std::memory_order_relaxed);
  host_.state.Progress(*lane_);
  if (lane_->learner().step() % host_.options.digest_interval_steps == 0) JournalDigest();
  if (PublishDue()) Publish();
  CheckpointIfDue();
  NotifySometimes();
  courtesy_.AfterStep(host_.state.questions());
}

// A record has been taken and all mini-batches that it completes are trained.
void Trainer::AfterRecord() {
  host_.heartbeat.fetch_add(1, std::memory_order_relaxed);
  if (flush_position_ != 0) {
    JournalDigest();
    Publish();
    if (flush_ != nullptr) {
      flush_->Give(ModelHost::FlushResult{flush_position_, lane_->learner().step(), CurrentDigest(),
                                          lane_->prequential()});
    }
    flush_ = nullptr;
    flush_position_ = 0;
  }
  if (JournalCrowded()) RelieveJournal();
  NotifySometimes();
}

void Trainer::GoIdle() {
  int64_t wake_ns = kNoDeadline;
  bool news = false;
  if (published_changes_ != lane_->changes() || published_position_ != lane_->trained_position()) {
    news = host_.clock.MonotonicNs() >= IdlePublishNs();
    if (news) {
      Publish();
    } else {
      wake_ns = IdlePublishNs();
    }
  }
  CheckpointIfDue();
  if (cost_ns_ >= CheckpointCostNs()) wake_ns = std::min(wake_ns, next_save_ns_);
  if (JournalCrowded()) RelieveJournal();
  if (host_.inbox.MarkIdle() || news) Notify();
  host_.inbox.Wait(wake_ns);
}

void Trainer::Notify() {
  notified_ns_ = host_.clock.MonotonicNs();
  host_.listeners.Notify();
}

void Trainer::NotifySometimes() {
  if (host_.clock.MonotonicNs() - notified_ns_ >= kNotifyNs) Notify();
}

const std::string& Trainer::CurrentDigest() {
  if (digest_changes_ != lane_->changes()) {
    digest_ = StateDigest(lane_->learner());
    digest_changes_ = lane_->changes();
  }
  return digest_;
}

void Trainer::JournalDigest() {
  // Calibration changes the state without a step, so an earlier digest of the same step would be
  // ambiguous.
  if (lane_->calibrating() || journalled_changes_ == lane_->changes()) return;
  const DigestPoint point = {lane_->learner().step(), CurrentDigest()};
  host_.state.SetDigestPoint(point);
  // Without space the point is announced but cannot be verified by a replay: no harm.
  if (intake_.AppendDigest({point.step, point.state_digest}).ok()) {
    journalled_changes_ = lane_->changes();
  }
}

bool Trainer::PublishDue() const {
  if (published_changes_ == lane_->changes()) return false;
  if (lane_->learner().step() - published_step_ >= host_.options.publish_interval_steps) {
    return true;
  }
  return host_.clock.MonotonicNs() >=
         DeadlineAfterMs(published_ns_, host_.options.publish_interval_ms);
}

int64_t Trainer::IdlePublishNs() const {
  constexpr int64_t kCostShare = 50;  // publishing takes at most a fiftieth of the time
  const int64_t pause_ns = std::min(publish_cost_ns_ * kCostShare,
                                    DeadlineAfterMs(0, host_.options.publish_interval_ms));
  return published_ns_ + pause_ns;
}

void Trainer::Publish() {
  const int64_t begin_ns = host_.clock.MonotonicNs();
  std::shared_ptr<Snapshot> snapshot;
  if (!lane_->calibrating()) {
    snapshot = std::make_shared<Snapshot>();
    const bool same = published_ != nullptr && published_changes_ == lane_->changes();
    snapshot->predictor = same ? published_->predictor : lane_->learner().MakePredictor();
    snapshot->spec = host_.state.spec();
    snapshot->position = lane_->trained_position();
    snapshot->step = lane_->learner().step();
    if (digest_changes_ == lane_->changes()) snapshot->state_digest = digest_;
  }
  published_ = snapshot;
  published_changes_ = lane_->changes();
  published_step_ = lane_->learner().step();
  published_position_ = lane_->trained_position();
  published_ns_ = host_.clock.MonotonicNs();
  publish_cost_ns_ = published_ns_ - begin_ns;
  host_.state.Publish(std::move(snapshot), lane_->learner().Counters());
}

int64_t Trainer::CheckpointCostNs() const {
  return DeadlineAfterMs(0, host_.options.checkpoint_replay_ms);
}

void Trainer::CheckpointIfDue() {
  if (cost_ns_ < CheckpointCostNs() || host_.clock.MonotonicNs() < next_save_ns_) return;
  const absl::StatusOr<CheckpointInfo> written = WriteGeneration();
  if (!written.ok()) Warn("automatic checkpoint failed, will be tried again", written.status());
}

bool Trainer::JournalCrowded() const {
  if (host_.options.retain_all) return false;
  const uint64_t limit = host_.options.journal.journal_bytes_max;
  return host_.state.journal_bytes() > limit - limit / 4;
}

void Trainer::RelieveJournal() {
  const uint64_t bytes = host_.state.journal_bytes();
  const uint64_t worthwhile = host_.options.journal.journal_bytes_max / 8;
  // Without space for a checkpoint either, trying at every refused packet would only wear the
  // flash.
  if (host_.clock.MonotonicNs() < next_relief_ns_) return;
  if (!intake_.TakeJournalFull() && bytes < relieved_bytes_ + worthwhile) return;
  const absl::StatusOr<CheckpointInfo> newest = WriteGeneration();
  if (!newest.ok()) {
    next_relief_ns_ = DeadlineAfterMs(host_.clock.MonotonicNs(), kRetrySaveMs);
    Warn("checkpoint for a journal near its limit failed", newest.status());
  } else {
    PruneJournal(newest->position);
  }
  relieved_bytes_ = host_.state.journal_bytes();
}

absl::StatusOr<CheckpointInfo> Trainer::WriteGeneration() {
  // The state is a function of the position: a generation that is there already is this one.
  if (std::optional<CheckpointInfo> kept = generations_.Find(lane_->trained_position())) {
    cost_ns_ = 0;
    return *std::move(kept);
  }
  next_save_ns_ = DeadlineAfterMs(host_.clock.MonotonicNs(),
                                  std::max(kRetrySaveMs, host_.options.checkpoint_interval_ms));
  JournalDigest();
  host_.saving = true;
  absl::StatusOr<CheckpointInfo> written = SyncAndWrite();
  host_.saving = false;
  if (!written.ok()) {
    if (absl::IsDataLoss(written.status())) intake_.Break(written.status());
    return written.status();
  }
  host_.state.Tell(
      HostEvent::Kind::kCheckpoint, written->step,
      text::StrCat("position ", written->position, ", digest ", written->state_digest));
  cost_ns_ = 0;
  next_save_ns_ = DeadlineAfterMs(host_.clock.MonotonicNs(), host_.options.checkpoint_interval_ms);
  host_.heartbeat.fetch_add(1, std::memory_order_relaxed);
  host_.state.Warn("");
  Prune();
  platform::ReturnUnusedMemory();
  return written;
}

absl::StatusOr<CheckpointInfo> Trainer::SyncAndWrite() {
  // A generation must not contain samples that the journal could still lose.
  if (host_.state.durable_position() < lane_->trained_position()) {
    TALLY_RETURN_IF_ERROR(intake_.Sync());
  }
  TALLY_RETURN_IF_ERROR(StoreSegmentEnds());
  return generations_.Write(*lane_, CurrentDigest());
}

absl::Status Trainer::StoreSegmentEnds() {
  for (storage::SegmentEnd& end : lane_->TakeSegmentEnds()) segment_ends_.push_back(std::move(end));
  // The end of a segment that is pruned already, because a generation stood exactly there, is
  // removed again when the next pruning is done.
  TALLY_RETURN_IF_ERROR(segment_end_store_.Write(segment_ends_));
  segment_ends_.clear();
  return absl::OkStatus();
}

void Trainer::Prune() {
  const absl::StatusOr<uint64_t> through =
      generations_.Prune(host_.options.keep_generations, host_.options.retain_all, rollbacks_);
  if (!through.ok()) {
    if (absl::IsDataLoss(through.status())) intake_.Break(through.status());
    Warn("old generations could not be deleted", through.status());
    return;
  }
  std::erase_if(rollbacks_, [&](const RollbackMark& mark) { return mark.position <= *through; });
  if (host_.options.retain_all) return;
  PruneJournal(*through);
}

void Trainer::PruneJournal(uint64_t through_position) {
  const absl::StatusOr<uint64_t> oldest = intake_.Prune(through_position);
  absl::Status pruned = oldest.status();
  if (pruned.ok()) {
    pruned = segment_end_store_.RemoveBefore(*oldest);
    if (absl::IsDataLoss(pruned)) intake_.Break(pruned);
  }
  if (!pruned.ok()) Warn("old journal segments could not be deleted", pruned);
}

void Trainer::Warn(std::string_view what, const absl::Status& status) {
  host_.state.Warn(text::StrCat("WARNING: ", what, ": ", status.ToString()));
}

absl::StatusOr<ModelHost::DigestResult> Trainer::Digest() {
  return ModelHost::DigestResult{CurrentDigest(), lane_->learner().step(),
                                 lane_->trained_position()};
}

absl::StatusOr<CheckpointInfo> Trainer::Checkpoint() { return WriteGeneration(); }

absl::StatusOr<CheckpointInfo> Trainer::FinalCheckpoint() {
  // What lies behind the checkpoint, the open partial mini-batch, must survive too; one sync serves
  // both.
  JournalDigest();
  TALLY_RETURN_IF_ERROR(intake_.Sync());
  return WriteGeneration();
}

absl::StatusOr<CheckpointInfo> Trainer::Rollback(uint64_t position) {
  absl::StatusOr<CheckpointInfo> done = RollBackTo(position);
  host_.state.Resume();
  Notify();
  return done;
}

absl::StatusOr<CheckpointInfo> Trainer::RollBackTo(uint64_t position) {
  // Read and verified before the journal says that it happened.
  TALLY_ASSIGN_OR_RETURN(Generation target, generations_.Load(position));
  storage::RollbackRecord record = {position, target.info.file_digest};
  TALLY_ASSIGN_OR_RETURN(const Intake::Place place, intake_.AppendRollback(record));
  rollbacks_.push_back({place.position, position});
  TALLY_RETURN_IF_ERROR(intake_.Sync());
  lane_->Rollback(std::move(target.learner), {place.position, std::move(record), place.segment});
  digest_ = target.info.state_digest;
  digest_changes_ = lane_->changes();
  journalled_changes_ = lane_->changes();
  host_.state.SetDigestPoint({target.info.step, target.info.state_digest});
  intake_.SetCalibrationMissing(lane_->learner().calibration_samples_wanted());
  host_.state.Progress(*lane_);
  Publish();
  host_.state.Tell(HostEvent::Kind::kRollback, target.info.step,
                   text::StrCat("back to the generation at position ", position));
  absl::StatusOr<CheckpointInfo> written = WriteGeneration();
  if (written.ok()) return written;
  return absl::Status(
      written.status().code(),
      text::StrCat("rolled back to generation ", position, ", but the generation at position ",
                   place.position, " could not be written: ", written.status().message()));
}

}  // namespace tally::hosting
