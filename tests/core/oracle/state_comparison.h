// The state of a learner as numbers, and where it differs from an oracle's.

#ifndef TALLY_TESTS_CORE_ORACLE_STATE_COMPARISON_H_
#define TALLY_TESTS_CORE_ORACLE_STATE_COMPARISON_H_

#include <string>

#include "core/learner/learner.h"
#include "tests/core/oracle/slow_network.h"

namespace tally::oracle {

State StateOf(Learner& learner);

// The first difference in words, or "".
std::string Difference(const State& fast, const State& slow);

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_STATE_COMPARISON_H_
