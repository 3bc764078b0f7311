// PocketNN a second time, slowly: plain loops over int64, written from the paper's rules and not
// from core/algorithms. It shares with core only the plain data of ModelSpec.
//
// Rules it follows, in the words of the documents:
//
//   forward      Z = X W + b; activations of the published tables, with truncating divisions
//   prediction   the first maximum of the outputs cut to int32
//   error        e = output - target for the true class, output for the others; the loss is the sum
//   of
//                e^2 / 2, truncated element by element
//   last layer   D = e / G
//   hidden       D = (e B) / G (direct feedback), D = (D_next W_next^T) / G (back-propagation, with
//                the weights before the update). An infinite inverse slope makes D = 0
//   update       W -= (X^T D) / inverse, b -= (column sums of D) / inverse, cut at +-weight_limit
//   stochastic   |sum| / inverse is rounded up if its remainder exceeds a uniform draw from
//                [0, inverse): Philox4x32-10, key = seed, counter = (step low, step high, tensor,
//                index / 4), tensor = 8 * layer + 4 for weights and + 5 for biases, layers from 0
//
// Initial weights and feedback matrices are given to it: they are state, not arithmetic.

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_NETWORK_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_NETWORK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/learner/model_spec.h"

namespace tally::oracle {

using Matrix = std::vector<std::vector<int64_t>>;
// Arrays of a learner by name, widened.
using State = std::map<std::string, std::vector<int64_t>>;

struct SlowLayer {
  Activation activation = Activation::kPocketTanh;
  int64_t inputs = 0;
  int64_t units = 0;
  Matrix weights;           // [inputs][units]
  Matrix feedback;          // [classes][units]; hidden layers, direct feedback
  Matrix weight_residuals;  // [inputs][units]; error feedback
  std::vector<int64_t> bias;
  std::vector<int64_t> bias_residuals;
  int64_t saturated = 0;
  int64_t clamped = 0;
  int64_t wide_steps = 0;

  Matrix outputs;  // of the last mini-batch, a row a sample
  Matrix slopes;   // inverse; kInfinite where the true slope counts as zero
};

struct SlowReport {
  int64_t loss = 0;
  int64_t correct = 0;
  std::vector<uint32_t> predictions;
};

class SlowNetwork {
 public:
  SlowNetwork(const ModelSpec& spec, const State& initial);

  // Elements as numbers, before standardisation.
  void Calibrate(const Matrix& rows);
  SlowReport TrainStep(const Matrix& rows, const std::vector<uint32_t>& labels);
  // Output of the last layer for one row, cut to int32.
  std::vector<int64_t> Predict(const std::vector<int64_t>& row);
  int64_t Loss(const std::vector<int64_t>& scores, uint32_t label) const;

  State state() const;

 private:
  std::vector<int64_t> Standardise(const std::vector<int64_t>& row) const;
  void Forward(const Matrix& rows);
  Matrix Errors(const std::vector<uint32_t>& labels, SlowReport& report) const;
  Matrix Deltas(size_t layer, const Matrix& errors, const Matrix& next_deltas) const;
  void Update(size_t layer, const Matrix& inputs, const Matrix& deltas);
  int64_t Quotient(int64_t sum, int64_t& residual, uint32_t tensor, uint64_t index) const;
  void Apply(int64_t quotient, int64_t& value, SlowLayer& layer) const;

  ModelSpec spec_;
  std::vector<SlowLayer> layers_;
  std::vector<int64_t> mean_;
  std::vector<int64_t> deviation_;
  Matrix inputs_;
  int64_t step_ = 0;
};

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_NETWORK_H_
