#include "daemon/hosting/intake.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/queue_full.h"
#include "daemon/hosting/training_lane.h"

namespace tally::hosting {
namespace {

// The part of a packet that was not kept before.
storage::SamplesRecord WithoutFront(const storage::SamplesRecord& packet, uint32_t kept) {
  const size_t row_bytes = packet.rows.size() / packet.labels.size();
  storage::SamplesRecord fresh;
  fresh.source = packet.source;
  fresh.first_sequence = packet.first_sequence + kept;
  fresh.rows = packet.rows.substr(kept * row_bytes);
  fresh.labels.assign(packet.labels.begin() + static_cast<ptrdiff_t>(kept), packet.labels.end());
  return fresh;
}

}  // namespace

Intake::Intake(HostContext& host, std::function<void()> on_append)
    : host_(host), on_append_(std::move(on_append)) {}

void Intake::Open(std::unique_ptr<storage::Journal> journal) {
  MutexLock sync(sync_mutex_);
  MutexLock lock(append_mutex_);
  journal_ = std::move(journal);
}

void Intake::Close() { Open(nullptr); }

absl::StatusOr<AppendResult> Intake::Append(storage::SamplesRecord&& packet) {
  absl::Status broken;
  absl::StatusOr<AppendResult> result = AppendResult{};
  {
    MutexLock lock(append_mutex_);
    result = AppendLocked(std::move(packet));
    broken = broken_;
  }
  if (!broken.ok()) Break(broken);
  return result;
}

absl::StatusOr<AppendResult> Intake::AppendLocked(storage::SamplesRecord&& packet) {
  TALLY_RETURN_IF_ERROR(host_.state.CheckOpen());
  TALLY_RETURN_IF_ERROR(CheckPacket(*host_.state.spec(), packet));
  TALLY_ASSIGN_OR_RETURN(const uint32_t kept, host_.state.Admit(packet, host_.sources_max));
  AppendResult result;
  result.skipped = kept;
  if (kept == packet.labels.size()) {
    result.position = journal_->next_position() - 1;
    return result;
  }
  if (!host_.inbox.HasRoom(PacketBytes(packet.rows.size(), packet.labels.size()))) {
    return QueueFullError(text::StrCat("model \"", host_.name, "\": the training queue of ",
                                       host_.options.queue_bytes_max,
                                       " bytes is full; send again in a moment"));
  }
  storage::RecordBody body = kept == 0 ? std::move(packet) : WithoutFront(packet, kept);
  if (const absl::Status written = Write(body); !written.ok()) {
    if (kept == 0) packet = std::move(std::get<storage::SamplesRecord>(body));
    return written;
  }
  AppendResult accepted = Accept(std::move(body));
  accepted.skipped = kept;
  return accepted;
}

AppendResult Intake::Accept(storage::RecordBody body) {
  const auto& packet = std::get<storage::SamplesRecord>(body);
  const auto rows = static_cast<uint32_t>(packet.labels.size());
  AppendResult result;
  result.accepted = rows;
  result.position = journal_->next_position() - 1;
  host_.state.AcceptSamples(packet.source, packet.first_sequence + rows - 1, result.position,
                            journal_->size_bytes());
  calibration_missing_ -= std::min<uint64_t>(calibration_missing_, rows);
  on_append_();
  host_.inbox.Push(
      {{result.position + 1 - rows, std::move(body), journal_->segment_position()}, nullptr});
  return result;
}

absl::Status Intake::Write(const storage::RecordBody& body) {
  TALLY_RETURN_IF_ERROR(broken_);
  TALLY_RETURN_IF_ERROR(host_.state.CheckAlive());
  const absl::Status written = journal_->Append(body);
  if (written.ok()) return written;
  if (!absl::IsResourceExhausted(written)) {
    broken_ = written;
    return written;
  }
  journal_full_ = true;
  host_.inbox.Poke();
  return absl::ResourceExhaustedError(
      text::StrCat("model \"", host_.name, "\": ", written.message()));
}

absl::StatusOr<Intake::Place> Intake::AppendFlush(std::shared_ptr<FlushAnswer> answer) {
  return AppendUnlessBroken(storage::FlushRecord{}, std::move(answer), /*to_trainer=*/true);
}

absl::StatusOr<Intake::Place> Intake::AppendDigest(storage::DigestRecord digest) {
  return AppendUnlessBroken(std::move(digest), nullptr, /*to_trainer=*/true);
}

absl::StatusOr<Intake::Place> Intake::AppendRollback(storage::RollbackRecord rollback) {
  return AppendUnlessBroken(std::move(rollback), nullptr, /*to_trainer=*/false);
}

absl::StatusOr<Intake::Place> Intake::AppendUnlessBroken(storage::RecordBody body,
                                                         std::shared_ptr<FlushAnswer> answer,
                                                         bool to_trainer) {
  absl::Status broken;
  absl::StatusOr<Place> place = Place{};
  {
    MutexLock lock(append_mutex_);
    place = AppendControl(std::move(body), std::move(answer), to_trainer);
    broken = broken_;
  }
  if (!broken.ok()) Break(broken);
  return place;
}

absl::StatusOr<Intake::Place> Intake::AppendControl(storage::RecordBody body,
                                                    std::shared_ptr<FlushAnswer> answer,
                                                    bool to_trainer) {
  if (std::holds_alternative<storage::FlushRecord>(body)) {
    TALLY_RETURN_IF_ERROR(host_.state.CheckOpen());
    TALLY_RETURN_IF_ERROR(CheckCalibrated());
  }
  TALLY_RETURN_IF_ERROR(Write(body));
  const Place place = {journal_->next_position() - 1, journal_->segment_position()};
  host_.state.AcceptRecord(place.position, journal_->size_bytes());
  on_append_();
  if (to_trainer) {
    host_.inbox.Push({{place.position, std::move(body), place.segment}, std::move(answer)});
  }
  return place;
}

absl::Status Intake::CheckCalibrated() const {
  if (calibration_missing_ == 0) return absl::OkStatus();
  const uint64_t wanted = host_.state.spec()->preprocessing.calibration_samples;
  return absl::FailedPreconditionError(text::StrCat(
      "model \"", host_.name, "\" is CALIBRATING: calibrating ", wanted - calibration_missing_, "/",
      wanted, "; send ", calibration_missing_, " more samples before a flush"));
}

absl::Status Intake::Sync() {
  absl::Status synced;
  {
    MutexLock sync(sync_mutex_);
    TALLY_RETURN_IF_ERROR(host_.state.CheckAlive());
    if (host_.state.AllDurable()) return absl::OkStatus();
    const HostState::Unsynced unsynced = host_.state.BeginSync();
    synced = journal_->Sync();
    if (synced.ok()) host_.state.EndSync(unsynced);
    // Nothing may be tried on this journal again.
    if (!synced.ok()) host_.state.Fail(synced, /*fatal=*/false);
  }
  if (!synced.ok()) Break(synced);
  return synced;
}

void Intake::Break(const absl::Status& cause) {
  host_.state.Fail(cause, /*fatal=*/true);
  host_.inbox.Stop(host_.state.CheckAlive());
}

absl::StatusOr<uint64_t> Intake::Prune(uint64_t through_position) {
  absl::Status pruned;
  uint64_t oldest_position = 0;
  {
    MutexLock lock(append_mutex_);
    TALLY_RETURN_IF_ERROR(broken_);
    pruned = journal_->Prune(through_position);
    oldest_position = journal_->oldest_position();
    host_.state.SetJournalBytes(journal_->size_bytes());
  }
  if (absl::IsDataLoss(pruned)) Break(pruned);
  TALLY_RETURN_IF_ERROR(pruned);
  return oldest_position;
}

absl::Status Intake::PauseForRollback() {
  MutexLock lock(append_mutex_);
  return host_.state.PauseForRollback();
}

ModelState Intake::PauseForGood() {
  MutexLock lock(append_mutex_);
  return host_.state.PauseForGood();
}

void Intake::SetCalibrationMissing(uint64_t samples) {
  MutexLock lock(append_mutex_);
  calibration_missing_ = samples;
}

}  // namespace tally::hosting
