// The Learner: everything Tally needs from an algorithm, and nothing else.

#ifndef TALLY_CORE_LEARNER_LEARNER_H_
#define TALLY_CORE_LEARNER_LEARNER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"

namespace tally {

// `rows` rows of spec.RowBytes() bytes each, elements little-endian, row-major, no padding.
// Borrowed.
struct RowBatch {
  std::span<const std::byte> bytes;
  size_t rows = 0;
};

// What one mini-batch did. `predictions` is borrowed from the learner until its next call.
struct StepReport {
  int64_t loss = 0;      // sum over the rows, in the algorithm's integer unit
  uint64_t correct = 0;  // rows whose prediction, taken before the update, was right
  std::span<const uint32_t> predictions;  // one a row, in order, of this forward pass
};

enum class StateType : uint8_t { kInt8, kInt16, kInt32, kInt64, kUint8, kUint64 };

// One named array of the learner's state, in its unpacked layout.
struct StateEntry {
  std::string_view name;  // [a-z0-9_.]+, unique
  StateType type = StateType::kInt8;
  std::span<const uint64_t> shape;  // empty: a scalar
  std::span<std::byte> bytes;       // little-endian, row-major
  bool in_digest = true;            // false for counters that report but do not decide
  bool lent = false;                // the bytes are there during the visit only
};

class StateVisitor {
 public:
  virtual ~StateVisitor() = default;
  virtual void Visit(const StateEntry& entry) = 0;
};

// What happened at the edges of the number ranges, since the model was created.
struct LayerCounters {
  // Outputs cut at an end of the activation's range; the 0 of a ReLU is not a cut.
  uint64_t saturated_activations = 0;
  uint64_t clamped_weights = 0;  // weight or bias updates cut at +-weight_limit
  uint64_t wide_steps = 0;       // mini-batches whose deltas needed the wide kernel
};

// An immutable copy of what prediction needs. Thread-safe.
class Predictor {
 public:
  virtual ~Predictor() = default;

  // scores[r * classes + c], int32, saturated to its range; the class is the first maximum. Each
  // row's scores depend on that row alone (promise P4). `scores` has rows.rows * classes elements.
  virtual void Predict(const RowBatch& rows, std::span<int32_t> scores) const = 0;

  // The loss of one row with these scores and this label, in the unit of StepReport::loss.
  virtual int64_t Loss(std::span<const int32_t> scores, uint32_t label) const = 0;
};

// The mutable model. One thread at a time.
class Learner {
 public:
  virtual ~Learner() = default;

  virtual const ModelSpec& spec() const = 0;

  // Mini-batches trained so far.
  virtual uint64_t step() const = 0;

  // Rows the learner must see in Calibrate before it can train or predict; 0 when it needs none.
  virtual uint32_t calibration_samples_wanted() const = 0;

  // Fixes the calibration constants from exactly calibration_samples_wanted() rows (the first ones
  // in training order; they are trained afterwards like any others).
  virtual void Calibrate(const RowBatch& rows) = 0;

  // One mini-batch of 1 to spec().batch_size rows; labels[i] < classes. A pure function of the
  // state and its arguments. Never allocates after the first call.
  virtual StepReport TrainStep(const RowBatch& rows, std::span<const uint32_t> labels) = 0;

  virtual std::unique_ptr<const Predictor> MakePredictor() const = 0;

  // Walks every array that makes up the state, always the same ones in the same order. One walk
  // serves checkpoint, restore (the visitor writes into `bytes`), digest and broadcast.
  virtual void VisitState(StateVisitor& visitor) = 0;

  // After a restore: OK if every value lies in its range, else DATA_LOSS naming array and value;
  // rebuilds what is derived from the state.
  virtual absl::Status CheckRestoredState() = 0;

  // One a layer, first layer first.
  virtual std::vector<LayerCounters> Counters() const = 0;
};

// The first index of the largest score; ties go to the lowest class.
uint32_t ArgMax(std::span<const int32_t> scores);

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_LEARNER_H_
