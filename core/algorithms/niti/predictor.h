// Prediction on an immutable copy of a NITI network.

#ifndef TALLY_CORE_ALGORITHMS_NITI_PREDICTOR_H_
#define TALLY_CORE_ALGORITHMS_NITI_PREDICTOR_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/algorithms/niti/network.h"
#include "core/learner/learner.h"

namespace tally::niti {

// Ranges are a row's own, as in a mini-batch of one, so that no split or order of rows changes a
// score (P4). Scratch is a thread's own and kept between calls.
class NitiPredictor : public Predictor {
 public:
  NitiPredictor(const ModelSpec& spec, Network network);

  // Scores are logits in units of 2^-20 (ScoreOf).
  void Predict(const RowBatch& rows, std::span<int32_t> scores) const override;
  int64_t Loss(std::span<const int32_t> scores, uint32_t label) const override;

 private:
  struct Scratch;
  void PredictBlock(const RowBatch& rows, Scratch& scratch, std::span<int32_t> scores) const;
  // From `scratch.rows[current]`; returns where the outputs are.
  size_t RunStage(const Stage& stage, size_t rows, size_t current, Scratch& scratch) const;

  Network network_;
  bool wraps_;  // reference profile
  NitiSoftmax softmax_;
  size_t row_bytes_;
  size_t classes_;
  size_t widest_;  // elements of the widest row, the input included
  size_t rows_per_block_;
};

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_PREDICTOR_H_
