// NITI: integer-only training by back-propagation with int8 weights, activations and errors, each
// array with one power-of-two exponent.
// Source: Wang et al., "NITI: Training Integer Neural Networks Using Integer-only Arithmetic",
// arXiv:2009.13108, and its published code.
//
// One step, everything over the mini-batch as a whole:
//
//   forward    z = x * w;  k = max(0, Range(max |z|) - 7);  a = RoundShift(z, k), ReLU
//   loss       the last a are logits; e = integer cross-entropy (loss.h)
//   backward   e_x = d * w^T, requantised like z;  0 where the ReLU's output is 0
//   gradient   g = x^T * d, summed and not averaged
//   update     k = B - mu, B the range of g;  w -= PstoShift(g, k)
//              or by a velocity, in the scale of the loss (momentum.h)
//
// All weights are cut to +-127. Each layer passes errors down before its weights move. README.md
// has the options and what the profiles change.

#ifndef TALLY_CORE_ALGORITHMS_NITI_LEARNER_H_
#define TALLY_CORE_ALGORITHMS_NITI_LEARNER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "core/algorithms/augmentation.h"
#include "core/algorithms/niti/network.h"
#include "core/kernels/panel_sums.h"
#include "core/kernels/requantise.h"
#include "core/learner/learner.h"
#include "core/learner/learner_environment.h"
#include "core/tensor/tensor.h"

namespace tally::niti {

struct LearnerOptions {
  // The rows of all ranks of a collective together are at most batch_size a step.
  LearnerEnvironment environment = {};
  // Sums gradients in 64 bits even where 32 would do; tests compare both.
  bool always_wide = false;
};

class NitiLearner : public Learner {
 public:
  // `spec` is valid and within the bounds of CheckBounds.
  NitiLearner(const ModelSpec& spec, const LearnerOptions& options);

  // Bytes that a learner of this spec allocates, without a collective.
  static uint64_t Bytes(const ModelSpec& spec, size_t threads = 1);

  const ModelSpec& spec() const override { return spec_; }
  uint64_t step() const override { return step_; }
  uint32_t calibration_samples_wanted() const override;
  void Calibrate(const RowBatch& rows) override;
  StepReport TrainStep(const RowBatch& rows, std::span<const uint32_t> labels) override;
  std::unique_ptr<const Predictor> MakePredictor() const override;
  void VisitState(StateVisitor& visitor) override;
  absl::Status CheckRestoredState() override;
  // One a layer of the spec; layers without weights count nothing.
  std::vector<LayerCounters> Counters() const override;

  // What the last step saw, for tests and for a look at what a network does. Stages are layers with
  // weights, from 0.
  struct StageTrace {
    uint64_t sum_max = 0;  // |z|
    int32_t forward_shift = 0;
    int32_t output_exponent = 0;  // after the followers
    uint64_t error_max = 0;       // of the error of the input, before the shift; not of stage 0
    int32_t error_shift = 0;
    uint64_t gradient_max = 0;
    int32_t gradient_range = 0;
  };
  const StageTrace& trace(size_t stage) const { return training_[stage].trace; }
  std::span<const int8_t> logits() const { return logits_; }       // [rows, classes]
  std::span<const int8_t> loss_errors() const { return errors_; }  // likewise

 private:
  // What training keeps for a stage beside its weights.
  struct StageTraining {
    kernels::PanelSums<int16_t> fine_weights;  // [fan_in, units]; 16-bit weights
    kernels::PanelSums<int32_t> velocity;      // likewise; with momentum
    // Gradients, one a part of the mini-batch; the first becomes the sum of all. One of these two
    // has elements.
    std::vector<kernels::PanelSums<int32_t>> narrow_sums;
    std::vector<kernels::PanelSums<int64_t>> wide_sums;
    Tensor<int8_t> output;                // [batch, out_elements]
    std::vector<Tensor<uint8_t>> places;  // a pooling follower: [batch, its out_elements]
    std::vector<Tensor<int8_t>> masks;    // a dropout follower: 0 or -1 an element
    int32_t masks_exponent = 0;           // what they add to the exponent
    // With range_memory: the largest range of late plus the exponent of its errors, and for how
    // many steps it has not been reached.
    int32_t range = 0;
    uint64_t range_age = 0;
    uint64_t wide_steps = 0;
    StageTrace trace;
  };

  // Rows of the mini-batch that one thread takes through a stage (sharing.cc).
  struct Part {
    size_t first = 0;
    size_t rows = 0;
    uint64_t max = 0;            // magnitude of what it has just computed
    MatrixView<const int8_t> d;  // errors of what a stage gives out, then of its sums
    size_t free = 0;             // the scratch array that d is not in
    Tensor<int16_t> kernel_scratch;
  };

  StageTraining MakeStageTraining(const Stage& stage) const;

  // sharing.cc
  static size_t PartsMax(const ModelSpec& spec, size_t threads);
  void CutRows(size_t rows);
  size_t IndexOf(const Part& part) const { return static_cast<size_t>(&part - parts_.data()); }
  // work(part) for the parts of the mini-batch, on as many threads as there are.
  void ForEachPart(absl::FunctionRef<void(Part& part)> work);
  // The greatest `max` of all parts, on all ranks.
  uint64_t SharedMax();
  // Adds the gradients of all parts into the first.
  template <class Sum>
  void JoinSums(std::vector<kernels::PanelSums<Sum>>& sums);

  MatrixView<const int8_t> StageInput(size_t stage, const Part& part) const;
  MatrixView<int8_t> Scratch(size_t array, const Part& part, size_t columns);
  // Where a part's rows are after so many of the stage's pools: at last in its output, before that
  // in scratch.
  MatrixView<int8_t> Buffer(size_t stage, size_t pools_done, const Part& part, size_t columns);

  void Forward();
  void DrawMasks(size_t stage);
  void RunFollowers(size_t stage, const Part& part);
  StepReport ComputeLoss(size_t rows, std::span<const uint32_t> labels);
  void Backward();
  // Errors of the stage's sums (part.d) to errors of its input as int8: in scratch, which is part.d
  // then.
  void PassBack(size_t stage);
  // part.d, errors of what the stage gives out, to errors of its sums.
  void PassBackFollowers(size_t stage, Part& part);

  // update.cc
  void UpdateStage(size_t stage);
  // The range that a gradient with this one of its own is measured by.
  int32_t RememberRange(size_t stage, int32_t own);
  template <class Sum>
  void Apply(size_t stage, kernels::PanelSums<Sum>& sums);
  // momentum.cc: the same in the scale of the loss.
  template <class Sum>
  void ApplyMomentum(size_t stage, const kernels::PanelSums<Sum>& sums);
  // With 16-bit weights: from the 8-bit ones, and back.
  void StartFineWeights();
  void CoarsenFineWeights();

  ModelSpec spec_;
  LearnerOptions options_;
  bool wraps_;  // reference profile
  Network network_;
  Augmentation augmentation_;
  std::vector<StageTraining> training_;
  uint64_t step_ = 0;
  uint64_t first_row_ = 0;  // of this rank in the mini-batch
  // Of the errors of the stage that is updated: the shifts above it, and the exponent that makes
  // them derivatives of the loss.
  int32_t error_exponent_ = 0;
  int32_t error_unit_ = 0;

  // Scratch, sized once.
  Tensor<int8_t> input_;       // [batch, inputs]
  Tensor<int32_t> sums_;       // of a mini-batch, the largest: forward sums, or errors of an input
  Tensor<int8_t> scratch_[2];  // [batch, widest row of a stage]
  std::vector<Part> parts_;
  size_t parts_used_ = 1;      // by this mini-batch
  Tensor<int32_t> gradients_;  // of the loss: [batch, classes]
  std::vector<uint32_t> predictions_;
  std::vector<int64_t> shared_;
  std::span<const int8_t> logits_;
  std::span<const int8_t> errors_;
  Tensor<int8_t> error_rows_;  // [batch, classes]
};

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_LEARNER_H_
