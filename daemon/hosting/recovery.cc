#include "daemon/hosting/recovery.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/checkpoint/checkpoint.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::hosting {

absl::StatusOr<Recovered> Recovery::Run() {
  TALLY_ASSIGN_OR_RETURN(Generation newest, generations_.Open(result_.warnings));
  host_.SetSpec(newest.learner->spec());
  const uint64_t position = newest.info.position;
  TALLY_ASSIGN_OR_RETURN(survey_, SurveyJournal(host_.fs, host_.journal_path, position,
                                                [this] { return CheckStopped(); }));
  TALLY_RETURN_IF_ERROR(CheckExtent(position));

  result_.lane = std::make_unique<TrainingLane>(std::move(newest.learner), std::move(newest.start),
                                                survey_.SegmentOf(position));
  result_.rollbacks = survey_.rollbacks;
  result_.digest_point = {newest.info.step, newest.info.state_digest};
  verified_changes_ = result_.lane->changes();
  era_ = survey_.EraAfter(position);
  first_step_ = newest.info.step;
  steps_expected_ =
      survey_.load.samples / result_.lane->learner().spec().batch_size + survey_.load.flushes;
  TALLY_RETURN_IF_ERROR(VerifyStep());
  TALLY_RETURN_IF_ERROR(storage::ScanJournal(host_.fs, host_.journal_path, position + 1,
                                             [this](storage::Record record) {
                                               return ReplayRecord(std::move(record));
                                             })
                            .status());

  TALLY_ASSIGN_OR_RETURN(result_.journal,
                         storage::Journal::Open(host_.fs, host_.journal_path, survey_.tail,
                                                position + 1, host_.options.journal));
  TALLY_RETURN_IF_ERROR(segment_ends_.RemoveBefore(result_.journal->oldest_position()));
  result_.digest_is_current = verified_changes_ == result_.lane->changes();
  return std::move(result_);
}

absl::Status Recovery::CheckExtent(uint64_t position) const {
  if (survey_.last_position() < position) {
    return absl::DataLossError(text::StrCat(host_.journal_path, " ends at position ",
                                            survey_.last_position(),
                                            ", before the newest generation, ", position,
                                            ": it was truncated or replaced; restore it from a "
                                            "backup, or export the generation and import "
                                            "it as a new model"));
  }
  const uint64_t begins =
      survey_.oldest_position > 0 ? survey_.oldest_position : survey_.tail.next_position;
  if (begins > position + 1) {
    return absl::DataLossError(text::StrCat(host_.journal_path, " begins at position ", begins,
                                            ", but the newest generation that verifies ends at ",
                                            position,
                                            ": what lies between is lost; restore the damaged "
                                            "generation or the journal from a backup, or "
                                            "export generation ",
                                            position, " and import it as a new model"));
  }
  return absl::OkStatus();
}

absl::Status Recovery::ReplayRecord(storage::Record record) {
  TALLY_RETURN_IF_ERROR(CheckStopped());
  const uint64_t position = record.first_position;
  if (const auto* rollback = std::get_if<storage::RollbackRecord>(&record.body)) {
    const storage::RollbackRecord to = *rollback;
    TALLY_RETURN_IF_ERROR(ReplayRollback(to, std::move(record)));
    return VerifySegmentEnds();
  }
  if (const auto* digest = std::get_if<storage::DigestRecord>(&record.body)) {
    TALLY_RETURN_IF_ERROR(CheckDigestRecord(*digest, position));
  }
  TALLY_RETURN_IF_ERROR(result_.lane->Take(std::move(record)));
  TALLY_RETURN_IF_ERROR(TrainTaken());
  return VerifySegmentEnds();
}

absl::Status Recovery::VerifySegmentEnds() {
  for (storage::SegmentEnd& end : result_.lane->TakeSegmentEnds()) {
    TALLY_ASSIGN_OR_RETURN(const auto found, segment_ends_.Check(end));
    if (found == storage::SegmentEndStore::Found::kRight) continue;
    if (found == storage::SegmentEndStore::Found::kSetAside) {
      result_.warnings.push_back(
          text::StrCat("WARNING: ", segment_ends_.PathOf(end.first_position),
                       " was damaged and set aside (renamed to .damaged); it will be made again"));
    }
    result_.segment_ends.push_back(std::move(end));
  }
  return absl::OkStatus();
}

absl::Status Recovery::TrainTaken() {
  while (result_.lane->StepReady()) {
    TALLY_RETURN_IF_ERROR(CheckStopped());
    const int64_t begin_ns = host_.clock.MonotonicNs();
    result_.lane->Step();
    result_.training_ns += host_.clock.MonotonicNs() - begin_ns;
    ++steps_done_;
    TALLY_RETURN_IF_ERROR(VerifyStep());
    ShowProgress();
  }
  return absl::OkStatus();
}

absl::Status Recovery::ReplayRollback(const storage::RollbackRecord& rollback,
                                      storage::Record record) {
  const std::string what =
      text::StrCat("the journal's rollback at position ", record.first_position);
  absl::StatusOr<Generation> target = generations_.Load(rollback.target_position);
  if (!target.ok()) {
    return absl::DataLossError(text::StrCat(what, " needs generation ", rollback.target_position,
                                            ": ", target.status().message()));
  }
  if (target->info.file_digest != rollback.file_digest) {
    return absl::DataLossError(
        text::StrCat(what, " went to a generation with file digest ", rollback.file_digest,
                     ", but generation ", rollback.target_position, " now has ",
                     target->info.file_digest, "; restore the file from a backup"));
  }
  result_.lane->Rollback(std::move(target->learner), std::move(record));
  result_.digest_point = {target->info.step, target->info.state_digest};
  verified_changes_ = result_.lane->changes();
  ++era_;
  return VerifyStep();
}

absl::Status Recovery::CheckDigestRecord(const storage::DigestRecord& digest,
                                         uint64_t position) const {
  // The trainer writes a digest after its step, so replay has trained that step before it comes
  // here.
  if (digest.step <= result_.lane->learner().step()) return absl::OkStatus();
  return absl::DataLossError(text::StrCat(
      "journal record at position ", position, " holds the digest of step ", digest.step,
      ", but the samples before it reach only step ", result_.lane->learner().step()));
}

absl::Status Recovery::VerifyStep() {
  TrainingLane& lane = *result_.lane;
  const uint64_t step = lane.learner().step();
  const std::string* expected = survey_.Digest(era_, step);
  // The digest of an uncalibrated model is never journalled.
  if (expected == nullptr || lane.calibrating()) return absl::OkStatus();
  const std::string actual = StateDigest(lane.learner());
  if (actual != *expected) {
    return absl::DataLossError(
        text::StrCat("replay of ", host_.journal_path, " reached step ", step,
                     " with state digest ", actual, ", but the journal says ", *expected,
                     ": the generation, the journal or this machine's arithmetic is not what it "
                     "was; restore from a "
                     "backup, or export a kept generation and import it as a new model"));
  }
  result_.digest_point = {step, actual};
  verified_changes_ = lane.changes();
  return absl::OkStatus();
}

absl::Status Recovery::CheckStopped() {
  host_.heartbeat.fetch_add(1, std::memory_order_relaxed);
  return host_.inbox.stopped() ? absl::CancelledError("stopped during recovery") : absl::OkStatus();
}

void Recovery::ShowProgress() {
  constexpr uint64_t kShowSteps = 32;
  if (steps_done_ % kShowSteps != 0) return;
  host_.state.SetDetail(text::StrCat("step ", first_step_ + steps_done_, "/",
                                     first_step_ + std::max(steps_expected_, steps_done_)));
}

}  // namespace tally::hosting
