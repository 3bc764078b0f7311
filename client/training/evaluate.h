// How well a model predicts a labelled data set.

#ifndef TALLY_CLIENT_TRAINING_EVALUATE_H_
#define TALLY_CLIENT_TRAINING_EVALUATE_H_

#include <cstdint>

#include "client/datasets/dataset.h"
#include "core/learner/learner.h"

namespace tally {

struct Evaluation {
  uint32_t total = 0;
  uint32_t correct = 0;
  int64_t loss = 0;  // sum over the rows, in the algorithm's integer unit
};

// `dataset` fits the model (CheckFits).
Evaluation Evaluate(const Predictor& predictor, uint32_t classes, const Dataset& dataset);

}  // namespace tally

#endif  // TALLY_CLIENT_TRAINING_EVALUATE_H_
