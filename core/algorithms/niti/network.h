// The forward half of a NITI model: what prediction needs and training starts with.

#ifndef TALLY_CORE_ALGORITHMS_NITI_NETWORK_H_
#define TALLY_CORE_ALGORITHMS_NITI_NETWORK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/algorithms/input_stage.h"
#include "core/algorithms/niti/stage.h"
#include "core/learner/model_spec.h"

namespace tally::niti {

// The exponent of what enters the network: with the usual unit of 51 a mantissa of 64 is about one
// standard deviation.
inline constexpr int32_t kInputExponent = -6;

struct Network {
  explicit Network(const ModelSpec& spec) : input(spec), stages(MakeStages(spec)) {}

  // Elements of the widest row: of inputs, sums, or what a follower gives out.
  size_t WidestRow() const;

  InputStage input;
  std::vector<Stage> stages;
};

// Logits as scores that compare across rows, snapshots and models: o * 2^(exponent + 20), the
// exponent cut to [-20, 4]. 2^20 is a logit of 1.
int32_t ScoreOf(int8_t o, int32_t exponent);

// The loss of a row from its scores, in the unit of CrossEntropyGradient: that of training wherever
// the row's sums were requantised, its largest magnitude then being 64 or more. The exponent of a
// row of smaller logits is not in its scores; its loss may differ by what truncation makes of
// another.
int64_t LossOfScores(NitiSoftmax softmax, std::span<const int32_t> scores, uint32_t label);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_NETWORK_H_
