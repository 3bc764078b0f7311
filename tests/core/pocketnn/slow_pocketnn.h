// PocketNN from its formulas: vectors of int64, the division operator, one loop a sum. Shares
// nothing with the learner but the spec and the random draws.

#ifndef TALLY_TESTS_CORE_POCKETNN_SLOW_POCKETNN_H_
#define TALLY_TESTS_CORE_POCKETNN_SLOW_POCKETNN_H_

#include <cstdint>
#include <vector>

#include "core/learner/model_spec.h"
#include "tests/support/learner_probe.h"

namespace tally::test {

class SlowPocketNn {
 public:
  explicit SlowPocketNn(const ModelSpec& spec);

  struct Report {
    int64_t loss = 0;
    uint64_t correct = 0;
    std::vector<uint32_t> predictions;
  };
  Report TrainStep(const std::vector<Numbers>& rows, const std::vector<uint32_t>& labels);
  Numbers Scores(const Numbers& row) const;

  // Names and values as VisitState has them, without the counters.
  State state;

 private:
  struct Trace {
    std::vector<Numbers> inputs;  // of each layer, then the network's outputs
    std::vector<Numbers> slopes;  // of each layer
  };
  Trace Forward(const Numbers& row) const;
  std::vector<Numbers> Deltas(const Trace& trace, const Numbers& error) const;
  void Move(int64_t& weight, int64_t* residual, int64_t sum, uint32_t tensor, uint64_t index);
  size_t Inputs(size_t layer) const;
  size_t Units(size_t layer) const { return spec_.layers[layer].units; }
  int64_t InitialMagnitude(size_t layer) const;
  const Numbers& Array(size_t layer, const std::string& name) const;

  ModelSpec spec_;
};

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_POCKETNN_SLOW_POCKETNN_H_
