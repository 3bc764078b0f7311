// PocketNN: integer-only training of fully connected networks, by direct feedback alignment or
// back-propagation.
// Source: Song et al., "PocketNN: Integer-only Training and Inference of Neural Networks via Direct
// Feedback Alignment and Pocket Activations in Pure C++", arXiv:2201.02863, and the published code.
//
// One step, with e = output - wanted (the target for the true class, 0 for the others):
//
//   delta of the last layer     D = DivTrunc(e, G)             G: the activation's inverse slopes
//   hidden, direct feedback     D = DivTrunc(e * B, G)         B: a fixed random matrix a layer
//   hidden, back-propagation    D = DivTrunc(D_next * W_next^T, G)
//   update                      W -= (X^T * D) / inverse,  b -= (column sums of D) / inverse
//
// Sums go over the mini-batch and are not averaged; W and b are then clamped to +-weight_limit. How
// the division by `inverse`, the inverse learning rate, is rounded is the spec's update_rounding.
//
// Deviations from the published code, all absent under the reference profile: back-propagation sees
// the next layer's weights as they were before the update; random values come from Philox;
// kPocketRelu8 divides by 256 itself.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_LEARNER_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_LEARNER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/algorithms/pocketnn/delta_rows.h"
#include "core/algorithms/pocketnn/network.h"
#include "core/arithmetic/glibc_random.h"
#include "core/kernels/packed_gradient.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/row_table.h"
#include "core/kernels/update.h"
#include "core/learner/learner.h"
#include "core/learner/learner_environment.h"
#include "core/tensor/tensor.h"

namespace tally::pocketnn {

// What a learner is built with besides its spec.
struct LearnerOptions {
  // The rows of all ranks of a collective together are at most batch_size a step.
  LearnerEnvironment environment = {};
  // Takes the wide kernels even where the 16-bit ones would do; tests compare both.
  bool always_wide = false;
  // Shares the smallest steps with the workers too; tests do that.
  bool share_everything = false;
  // The stream of the published program, borrowed; set exactly under the reference profile.
  GlibcRandom* reference_random = nullptr;
};

class PocketNnLearner : public Learner {
 public:
  // `spec` is valid and within the bounds of CheckBounds.
  PocketNnLearner(const ModelSpec& spec, const LearnerOptions& options);

  // Bytes that a learner of this spec allocates, without a collective.
  static uint64_t Bytes(const ModelSpec& spec, size_t threads);

  const ModelSpec& spec() const override { return spec_; }
  uint64_t step() const override { return step_; }
  uint32_t calibration_samples_wanted() const override;
  void Calibrate(const RowBatch& rows) override;
  StepReport TrainStep(const RowBatch& rows, std::span<const uint32_t> labels) override;
  std::unique_ptr<const Predictor> MakePredictor() const override;
  void VisitState(StateVisitor& visitor) override;
  absl::Status CheckRestoredState() override;
  std::vector<LayerCounters> Counters() const override;

 private:
  // What training keeps for a layer beside its weights: state first, then the numbers of one step.
  struct LayerTraining {
    LayerTraining(const DenseLayer& layer, size_t batch);

    kernels::PackedMatrix<int16_t> feedback;  // [classes, units]; hidden layers, direct feedback
    Tensor<int32_t> weight_residual;          // [padded inputs, padded units]; error feedback
    Tensor<int32_t> bias_residual;            // [units]; error feedback
    LayerCounters counters;

    Tensor<int16_t> narrow_outputs;  // [batch, units], or
    Tensor<int64_t> wide_outputs;    // [batch, units]
    Tensor<uint8_t> slope_codes;     // [batch, units]
    DeltaRows delta;
    kernels::InputPairs input_pairs;
    uint64_t input_magnitude_max = 0;
  };

  // What some rows of a mini-batch came to on their way forward and back.
  struct RowPart {
    struct Layer {
      uint64_t input_magnitude_max = 0;
      uint64_t saturated = 0;
      SettledRows delta;
    };

    RowRange rows;
    StepReport report;
    SettledRows error;
    std::vector<Layer> layers;
  };

  // Some lines of a layer's weights; the first ones of a layer bring the biases along.
  struct WeightPart {
    size_t layer;
    kernels::InputPairs::Lines lines;
  };

  // What a thread needs to update weights, and what it found out about each layer.
  struct UpdateScratch {
    UpdateScratch(size_t widest, size_t layers);
    static uint64_t Bytes(uint64_t widest, uint64_t layers);

    Tensor<int32_t> line_sums;   // [2, padded widest layer]
    Tensor<int64_t> wide_sums;   // [widest layer]
    Tensor<int16_t> weight_row;  // [widest layer]
    std::vector<kernels::UpdateTally> tallies;
  };

  LayerTraining MakeLayerTraining(size_t layer) const;
  void InitialiseWeights();
  void InitialiseFeedback();
  void DrawReferenceWeights();
  void DrawReferenceFeedback();

  Rows Outputs(size_t layer, RowRange rows);
  ConstRows Inputs(size_t layer, RowRange rows);

  // How a step is shared out; sharing.cc.
  void CutWeights();
  bool IsShared(size_t rows) const;
  size_t CutRows(size_t rows);
  void Share(std::span<const WorkerPool::Stage> stages, size_t rows);

  // Rows forward and back; rows.cc. Weights are read only, and each part writes to rows of its own.
  void TrainRows(const RowBatch& rows, std::span<const uint32_t> labels, RowPart& part);
  void Forward(const RowBatch& rows, RowPart& part);
  void CompareOutputs(std::span<const uint32_t> labels, RowPart& part);
  template <class Output, class Error>
  StepReport Compare(MatrixView<const Output> outputs, RowRange rows,
                     std::span<const uint32_t> labels, MatrixView<Error> errors);
  void ComputeDelta(size_t layer, RowPart& part);
  // What the layer is blamed for, before the division by slopes: in the 32-bit rows of its deltas
  // (true) or in the 64-bit ones.
  bool Blame(size_t layer, const RowPart& part);
  bool BlameByBackPropagation(size_t layer, const RowPart& part);
  // Puts together what the parts found.
  StepReport JoinRows(size_t parts, size_t rows);
  void JoinLayer(size_t layer, std::span<const RowPart> parts);

  // What is to be done with the deltas; update.cc.
  void PrepareRule();
  void SumAcrossRanks(size_t rows, StepReport& report);
  void ApplySums();
  // Of the whole layer, on the caller's thread.
  void UpdateLayer(size_t layer, size_t rows);
  void BeginUpdate(size_t layer, size_t rows);
  void EndUpdate(size_t layer);
  void UpdatePart(const WeightPart& part, size_t rows, UpdateScratch& scratch);
  // Bounds every |gradient sum + residual| of the layer, if all are of narrow numbers.
  uint64_t TotalMax(size_t layer, size_t rows);
  void UpdateLines(const WeightPart& part, size_t rows, const kernels::UpdateConstants& constants,
                   UpdateScratch& scratch);
  void UpdateLineStochastically(size_t layer, size_t line, size_t rows, UpdateScratch& scratch);
  void WideSums(size_t layer, size_t input, size_t rows, std::span<int64_t> sums);
  template <class Sum>
  void UpdateWeightRow(size_t layer, size_t input, std::span<const Sum> sums,
                       UpdateScratch& scratch);
  void UpdateBias(size_t layer, size_t rows, UpdateScratch& scratch);
  template <class Sum>
  void UpdateBias(size_t layer, std::span<const Sum> sums, UpdateScratch& scratch);

  void VisitCounters(StateVisitor& visitor);

  ModelSpec spec_;
  LearnerOptions options_;
  Network network_;
  std::vector<LayerTraining> training_;
  uint64_t step_ = 0;
  bool feedback_drawn_ = false;

  std::vector<RowPart> row_parts_;
  std::vector<WeightPart> weight_parts_;

  // Scratch, sized once.
  Tensor<int16_t> input_rows_;          // [batch, inputs]
  SumRows sums_;                        // [batch, widest layer]
  std::vector<UpdateScratch> scratch_;  // one a thread
  Tensor<int64_t> shared_sums_;         // every sum of a step; only with a collective
  DeltaRows error_;
  std::vector<uint32_t> predictions_;
  kernels::UpdateRule rule_;
  uint64_t max_inverse_;
  bool rate_rose_ = false;  // residuals may hold more than the inverse of this step
};

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_LEARNER_H_
