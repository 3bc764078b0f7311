// What a learner works with besides its spec.

#ifndef TALLY_CORE_LEARNER_LEARNER_ENVIRONMENT_H_
#define TALLY_CORE_LEARNER_LEARNER_ENVIRONMENT_H_

#include "core/learner/collective.h"
#include "core/parallel/worker_pool.h"

namespace tally {

// Borrowed; each outlives the learner. Neither changes a bit of what is learnt.
struct LearnerEnvironment {
  // Null: this process alone.
  Collective* collective = nullptr;
  // Threads to share a mini-batch out to; several learners may have the same. Null: the caller's
  // alone.
  WorkerPool* workers = nullptr;
};

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_LEARNER_ENVIRONMENT_H_
