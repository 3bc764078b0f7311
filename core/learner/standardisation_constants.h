// How many constants the standardisation of a spec's inputs has.

#ifndef TALLY_CORE_LEARNER_STANDARDISATION_CONSTANTS_H_
#define TALLY_CORE_LEARNER_STANDARDISATION_CONSTANTS_H_

#include <cstddef>

#include "core/learner/model_spec.h"

namespace tally {

// Pairs of mean and deviation: one for all elements, one an element or one a channel; 0 without
// standardisation.
size_t StandardisationConstants(const ModelSpec& spec);

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_STANDARDISATION_CONSTANTS_H_
