// Prediction on an immutable copy of a PocketNN network.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_PREDICTOR_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_PREDICTOR_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/algorithms/pocketnn/network.h"
#include "core/learner/learner.h"

namespace tally::pocketnn {

// Scores are the last layer's outputs. Every row is computed from itself and constants alone, so no
// split or order of rows changes a score (P4). Scratch is a thread's own and kept between calls.
class PocketNnPredictor : public Predictor {
 public:
  PocketNnPredictor(const ModelSpec& spec, Network network);

  void Predict(const RowBatch& rows, std::span<int32_t> scores) const override;
  int64_t Loss(std::span<const int32_t> scores, uint32_t label) const override;

 private:
  void PredictBlock(const RowBatch& rows, std::span<int32_t> scores) const;

  Network network_;
  int64_t target_;
  size_t row_bytes_;
  size_t inputs_;
  size_t classes_;
  size_t widest_layer_;       // units of the widest layer whose outputs have 16 bits,
  size_t widest_wide_layer_;  // and of the one whose outputs have more; 0 without one
  size_t rows_per_block_;
};

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_PREDICTOR_H_
