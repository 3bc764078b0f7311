#include "daemon/hosting/training_lane.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "core/arithmetic/check.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/hosting/annotation_reader.h"
#include "daemon/storage/hex.h"

namespace tally::hosting {
namespace {

constexpr std::string_view kPosition = "position";
constexpr std::string_view kSources = "sources";
constexpr std::string_view kChainHead = "chain_head";

absl::Status OutOfPlace(const storage::Record& record, std::string_view what) {
  return absl::DataLossError(
      text::StrCat("journal record at position ", record.first_position, ": ", what));
}

}  // namespace

Annotations EncodeStart(const LaneStart& start) {
  Annotations annotations;
  annotations[std::string(kPosition)] = text::StrCat(start.position);
  annotations[std::string(kSources)] = EncodeSequences(start.sources);
  annotations[std::string(kChainHead)] = start.chain_head;
  start.prequential.Store(annotations);
  return annotations;
}

absl::StatusOr<LaneStart> DecodeStart(const Annotations& annotations) {
  LaneStart start;
  TALLY_ASSIGN_OR_RETURN(start.position, ReadNumber(annotations, kPosition));
  TALLY_ASSIGN_OR_RETURN(const std::string_view sources, ReadText(annotations, kSources));
  TALLY_ASSIGN_OR_RETURN(start.sources, DecodeSequences(sources));
  TALLY_ASSIGN_OR_RETURN(start.prequential, PrequentialCounter::Restore(annotations));
  TALLY_ASSIGN_OR_RETURN(const std::string_view chain_head, ReadText(annotations, kChainHead));
  if (!storage::DigestFromHex(chain_head).has_value()) {
    return absl::DataLossError(text::StrCat("checkpoint annotation \"", kChainHead, "\" is \"",
                                            chain_head, "\", expected 64 hex digits"));
  }
  start.chain_head = std::string(chain_head);
  return start;
}

absl::Status CheckPacket(const ModelSpec& spec, const storage::SamplesRecord& packet) {
  if (packet.labels.empty()) return absl::InvalidArgumentError("a packet has no labels");
  if (packet.first_sequence == 0) {
    return absl::InvalidArgumentError("a packet has first_sequence 0, sequences start at 1");
  }
  if (packet.rows.size() != packet.labels.size() * spec.RowBytes()) {
    return absl::InvalidArgumentError(
        text::StrCat("a packet has ", packet.rows.size(), " bytes of rows, expected ",
                     packet.labels.size(), " rows of ", spec.RowBytes(), " bytes"));
  }
  const uint32_t largest = *std::max_element(packet.labels.begin(), packet.labels.end());
  if (largest >= spec.classes) {
    return absl::InvalidArgumentError(
        text::StrCat("a packet has label ", largest, ", expected less than ", spec.classes));
  }
  return absl::OkStatus();
}

TrainingLane::TrainingLane(std::unique_ptr<Learner> learner, LaneStart start, uint64_t segment)
    : learner_(std::move(learner)),
      assembler_(learner_->spec().RowBytes(), AuditTrail(std::move(start.chain_head), segment)),
      prequential_(start.prequential),
      taken_sources_(start.sources),
      trained_sources_(std::move(start.sources)),
      taken_position_(start.position) {}

absl::Status TrainingLane::Take(storage::Record record) {
  TALLY_CHECK(!StepReady());
  const uint64_t last = record.first_position + storage::PositionCount(record.body) - 1;
  if (record.first_position > taken_position_ + 1 || last <= taken_position_) {
    return OutOfPlace(record, text::StrCat("expected position ", taken_position_ + 1));
  }
  if (std::holds_alternative<storage::SamplesRecord>(record.body)) {
    TALLY_RETURN_IF_ERROR(TakeSamples(std::move(record)));
  } else {
    TALLY_CHECK(!std::holds_alternative<storage::RollbackRecord>(record.body));
    if (std::holds_alternative<storage::FlushRecord>(record.body)) {
      if (calibrating()) return OutOfPlace(record, "a flush before the model is calibrated");
      flush_open_ = assembler_.pending_rows() > 0;
    }
    assembler_.AddControl(std::move(record));
  }
  taken_position_ = last;
  return absl::OkStatus();
}

absl::Status TrainingLane::TakeSamples(storage::Record record) {
  const auto& packet = std::get<storage::SamplesRecord>(record.body);
  if (const absl::Status fits = CheckPacket(learner_->spec(), packet); !fits.ok()) {
    return OutOfPlace(record, text::StrCat("does not fit the model: ", fits.message()));
  }
  const uint64_t skip = taken_position_ + 1 - record.first_position;
  uint64_t& reached = taken_sources_.try_emplace(packet.source).first->second;
  if (packet.first_sequence + skip != reached + 1) {
    return OutOfPlace(
        record, text::StrCat("source \"", packet.source, "\" continues at ",
                             packet.first_sequence + skip, ", expected sequence ", reached + 1));
  }
  reached = packet.first_sequence + packet.labels.size() - 1;
  assembler_.AddSamples(std::move(record), static_cast<size_t>(skip));
  CalibrateIfReady();
  return absl::OkStatus();
}

void TrainingLane::CalibrateIfReady() {
  const uint32_t wanted = learner_->calibration_samples_wanted();
  if (wanted == 0 || assembler_.pending_rows() < wanted) return;
  // The rows stay: training starts at the first one.
  learner_->Calibrate(assembler_.Front(wanted).rows);
  assembler_.ReleaseScratch();
  ++changes_;
  TALLY_CHECK(!calibrating());
}

bool TrainingLane::StepReady() const {
  if (calibrating()) return false;
  return flush_open_ || assembler_.pending_rows() >= learner_->spec().batch_size;
}

void TrainingLane::Step() {
  TALLY_CHECK(StepReady());
  const size_t rows = std::min<size_t>(assembler_.pending_rows(), learner_->spec().batch_size);
  const MiniBatchAssembler::View batch = assembler_.Front(rows);
  const StepReport report = learner_->TrainStep(batch.rows, batch.labels);
  ++changes_;
  TALLY_CHECK(report.predictions.size() == rows);
  for (size_t row = 0; row < rows; ++row) {
    prequential_.Add(report.predictions[row] == batch.labels[row]);
  }
  assembler_.Pop(rows,
                 [this](const std::string& source, uint64_t through) { Reach(source, through); });
  if (assembler_.pending_rows() == 0) flush_open_ = false;
}

void TrainingLane::Reach(const std::string& source, uint64_t through) {
  const auto entry = trained_sources_.try_emplace(source).first;
  entry->second = through;
  if (moved_.empty() || moved_.back() != entry) moved_.push_back(entry);
}

void TrainingLane::Rollback(std::unique_ptr<Learner> target, storage::Record record) {
  TALLY_CHECK(!StepReady() && record.first_position == taken_position_ + 1);
  TALLY_CHECK(std::holds_alternative<storage::RollbackRecord>(record.body));
  TALLY_CHECK(target->spec().RowBytes() == learner_->spec().RowBytes());
  learner_ = std::move(target);
  ++changes_;
  assembler_.Clear();
  taken_position_ = record.first_position;
  assembler_.AddControl(std::move(record));
  // The dropped rows will never be trained, and nobody shall wait for them.
  for (const auto& [source, through] : taken_sources_) Reach(source, through);
}

uint64_t TrainingLane::trained_position() const {
  return assembler_.pending_rows() == 0 ? taken_position_ : assembler_.first_position() - 1;
}

const std::vector<SequenceMap::const_iterator>& TrainingLane::TakeReached() {
  reported_.clear();
  std::swap(reported_, moved_);
  return reported_;
}

LaneStart TrainingLane::Here() const {
  return {trained_position(), trained_sources_, prequential_, assembler_.trail().head()};
}

}  // namespace tally::hosting
