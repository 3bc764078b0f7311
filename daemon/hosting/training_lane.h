// What the journal's records do to a model, one after the other: the same code live and in replay.

#ifndef TALLY_DAEMON_HOSTING_TRAINING_LANE_H_
#define TALLY_DAEMON_HOSTING_TRAINING_LANE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/checkpoint/checkpoint.h"
#include "core/learner/learner.h"
#include "daemon/hosting/mini_batch_assembler.h"
#include "daemon/hosting/prequential_counter.h"
#include "daemon/hosting/source_table.h"
#include "daemon/storage/audit_chain.h"
#include "daemon/storage/record.h"

namespace tally::hosting {

// What a checkpoint stores beside the learner's state, as annotations.
struct LaneStart {
  uint64_t position = 0;  // everything up to here is part of the state
  SequenceMap sources;    // as of `position`
  PrequentialCounter prequential;
  std::string chain_head = storage::GenesisChainHead();  // of the audit chain, as of `position`
};

Annotations EncodeStart(const LaneStart& start);
// DATA_LOSS names the annotation that is missing or wrong.
absl::StatusOr<LaneStart> DecodeStart(const Annotations& annotations);

// OK if the rows and labels of a packet fit `spec`, else INVALID_ARGUMENT.
absl::Status CheckPacket(const ModelSpec& spec, const storage::SamplesRecord& packet);

// A learner and its place in the journal: a pure function of the records taken. No locks, no clock,
// no disk; one thread at a time.
//
// Positions: taken_position() is the last one handed over; trained_position() is the last one whose
// effect, and that of all before it, is in the learner. Between them lies the open partial
// mini-batch.
class TrainingLane {
 public:
  // `segment`: the journal's segment that holds start.position, by its first position; 0: none.
  TrainingLane(std::unique_ptr<Learner> learner, LaneStart start, uint64_t segment = 0);

  // Takes the record behind taken_position(); a packet may begin earlier and is then taken from its
  // middle. Call only while StepReady() is false. Calibrates when enough rows are there. DATA_LOSS
  // if the record does not follow, or cannot have been written by this model. A RollbackRecord is
  // not taken here.
  absl::Status Take(storage::Record record);

  // Whether a mini-batch is complete: full, or closed by a flush.
  bool StepReady() const;
  void Step();

  // The record, a RollbackRecord, set the state to that of `target`: the open partial mini-batch is
  // dropped, sequences and prequential counts go on.
  void Rollback(std::unique_ptr<Learner> target, storage::Record record);

  uint64_t taken_position() const { return taken_position_; }
  uint64_t trained_position() const;
  bool calibrating() const { return learner_->calibration_samples_wanted() > 0; }
  // Rows that wait for calibration or for the rest of their mini-batch.
  uint64_t pending_rows() const { return assembler_.pending_rows(); }

  // Rises whenever the learner's state changes; equal values mean equal states.
  uint64_t changes() const { return changes_; }

  Learner& learner() { return *learner_; }
  const Learner& learner() const { return *learner_; }
  Prequential prequential() const { return prequential_.value(); }
  // Sequences in the records taken; those trained.
  const SequenceMap& taken_sources() const { return taken_sources_; }
  const SequenceMap& trained_sources() const { return trained_sources_; }

  // The entries of trained_sources() that Step and Rollback have moved since the last call. One may
  // be listed twice.
  const std::vector<SequenceMap::const_iterator>& TakeReached();

  // Ends of segments that lie before trained_position(), since the last call.
  std::vector<storage::SegmentEnd> TakeSegmentEnds() { return assembler_.trail().TakeEnds(); }

  // As of trained_position().
  LaneStart Here() const;

 private:
  absl::Status TakeSamples(storage::Record record);
  void CalibrateIfReady();
  void Reach(const std::string& source, uint64_t through);

  std::unique_ptr<Learner> learner_;
  MiniBatchAssembler assembler_;
  PrequentialCounter prequential_;
  SequenceMap taken_sources_;
  SequenceMap trained_sources_;
  uint64_t taken_position_ = 0;
  uint64_t changes_ = 0;
  bool flush_open_ = false;  // a flush has been taken and its mini-batch is not trained yet
  // Iterators and not names, so that a step allocates nothing.
  std::vector<SequenceMap::const_iterator> moved_;
  std::vector<SequenceMap::const_iterator> reported_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_TRAINING_LANE_H_
