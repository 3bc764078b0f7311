// The slow NITI as a whole model: from a spec and samples as the learner gets them.
//
//   augmentation    row n of the mini-batch is shifted by draw(3 n) - p rows and draw(3 n + 1) - p
//                   columns, draws of [0, 2 p], zeros outside, then mirrored if flips are on and
//                   draw(3 n + 2) of [0, 1] is 1; tensor 7, key seed, the step it is for
//   standardise     slow_niti_input.h, constants global, of each element or of each channel;
//                   without constants elements are cut to +-127
//   scores          of a row by itself: logits times 2^(exponent + 20), the exponent cut to [-20,
//   4]

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_NITI_MODEL_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_NITI_MODEL_H_

#include <cstdint>
#include <vector>

#include "core/learner/model_spec.h"
#include "tests/core/oracle/slow_network.h"
#include "tests/core/oracle/slow_niti.h"
#include "tests/core/oracle/slow_niti_input.h"

namespace tally::oracle {

class SlowNitiModel {
 public:
  explicit SlowNitiModel(const ModelSpec& spec);

  // Elements as numbers, before standardisation.
  void Calibrate(const Matrix& rows);
  SlowReport TrainStep(const Matrix& rows, const std::vector<uint32_t>& labels);
  std::vector<int64_t> Predict(const std::vector<int64_t>& row);

  State state() const;
  const SlowNiti& network() const { return network_; }

 private:
  std::vector<int64_t> Augmented(const std::vector<int64_t>& row, uint64_t number) const;
  std::vector<int64_t> Standard(const std::vector<int64_t>& row) const;

  ModelSpec spec_;
  SlowNiti network_;
  std::vector<Deviation> constants_;  // element i has number i % size; none: as they are
};

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_NITI_MODEL_H_
