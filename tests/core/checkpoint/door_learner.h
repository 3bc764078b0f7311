// A learner that only has state: one array of every type, a scalar, an empty one and a counter.

#ifndef TALLY_TESTS_CORE_CHECKPOINT_DOOR_LEARNER_H_
#define TALLY_TESTS_CORE_CHECKPOINT_DOOR_LEARNER_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/learner/learner.h"

namespace tally {

inline ModelSpec DoorSpec() {
  ModelSpec spec;
  spec.name = "door";
  spec.algorithm = "pocketnn";
  spec.input.shape = {2};
  spec.layers = {{2, Activation::kPocketTanh}};
  spec.classes = 2;
  spec.learning_rate = {{0, 1000}};
  spec.schedule_steps = 9;
  return spec;
}

class DoorLearner : public Learner {
 public:
  explicit DoorLearner(ModelSpec spec) : spec_(std::move(spec)) {}

  const ModelSpec& spec() const override { return spec_; }
  uint64_t step() const override { return step_; }
  uint32_t calibration_samples_wanted() const override { return 0; }
  void Calibrate(const RowBatch&) override {}
  StepReport TrainStep(const RowBatch&, std::span<const uint32_t>) override { return {}; }
  std::unique_ptr<const Predictor> MakePredictor() const override { return nullptr; }
  std::vector<LayerCounters> Counters() const override { return {}; }

  // In no particular order; names and shapes live only during the visit.
  void VisitState(StateVisitor& visitor) override {
    Lend(visitor, "total", StateType::kInt64, {1}, total);
    Lend(visitor, "layer.0.weights", StateType::kInt16, {2, 2}, weights);
    Lend(visitor, "layer.0.bias", StateType::kInt32, {2}, bias);
    Lend(visitor, "layer.0.mask", StateType::kUint8, {3}, mask);
    Lend(visitor, "layer.0.sign", StateType::kInt8, {1, 2}, sign);
    Lend(visitor, "seen", StateType::kUint64, {2}, seen, false);
    Lend(visitor, "nothing", StateType::kInt8, {0, 5}, nothing);
    std::span<uint64_t> scalar(&step_, 1);
    Lend(visitor, "step", StateType::kUint64, {}, scalar);
    if (extra) Lend(visitor, "zebra", StateType::kInt8, {2}, sign);
  }

  absl::Status CheckRestoredState() override {
    if (bias[0] <= 65536 && bias[1] <= 65536) return absl::OkStatus();
    return absl::DataLossError("layer.0.bias: got more than 65536");
  }

  std::vector<int16_t> weights = {0, 0, 0, 0};
  std::vector<int32_t> bias = {0, 0};
  std::vector<uint8_t> mask = {0, 0, 0};
  std::vector<int8_t> sign = {0, 0};
  std::vector<int64_t> total = {0};
  std::vector<uint64_t> seen = {0, 0};
  std::vector<int8_t> nothing;
  uint64_t step_ = 0;
  bool extra = false;  // one array more than the spec's

 private:
  template <typename Array>
  static void Lend(StateVisitor& visitor, std::string name, StateType type,
                   std::vector<uint64_t> shape, Array& array, bool in_digest = true) {
    visitor.Visit({name, type, shape, std::as_writable_bytes(std::span(array)), in_digest});
  }

  ModelSpec spec_;
};

inline DoorLearner TrainedDoor() {
  DoorLearner learner(DoorSpec());
  learner.weights = {1, -2, 32767, -32768};
  learner.bias = {-1, 65536};
  learner.mask = {0, 128, 255};
  learner.sign = {-128, 127};
  learner.total = {-9000000000};
  learner.seen = {7, uint64_t{1} << 63};
  learner.step_ = 258;
  return learner;
}

inline absl::StatusOr<std::unique_ptr<Learner>> MakeDoor(const ModelSpec& spec) {
  return std::make_unique<DoorLearner>(spec);
}

}  // namespace tally

#endif  // TALLY_TESTS_CORE_CHECKPOINT_DOOR_LEARNER_H_
