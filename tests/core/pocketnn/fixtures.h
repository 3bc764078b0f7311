// A small spec, shared by the PocketNN tests.

#ifndef TALLY_TESTS_CORE_POCKETNN_FIXTURES_H_
#define TALLY_TESTS_CORE_POCKETNN_FIXTURES_H_

#include "core/learner/model_spec.h"
#include "tests/support/learner_probe.h"

namespace tally::test {

// `inputs`-7-5-`classes` with one activation throughout, mini-batches of 6, inverse rate 200.
ModelSpec SmallSpec(Activation activation, CreditAssignment training);

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_POCKETNN_FIXTURES_H_
