// The learners that the suite of this folder is instantiated over: every algorithm, under each of
// its options. A new algorithm or option is one more case.

#ifndef TALLY_TESTS_CORE_PROMISES_CASES_H_
#define TALLY_TESTS_CORE_PROMISES_CASES_H_

#include <iosfwd>
#include <string>
#include <vector>

#include "core/learner/model_spec.h"

namespace tally::test {

struct LearnerCase {
  std::string name;  // letters and digits
  ModelSpec spec;    // mini-batches of 6, 3 classes; a rate that changes within 20 steps
};
void PrintTo(const LearnerCase& learner, std::ostream* out);

std::vector<LearnerCase> LearnerCases();

}  // namespace tally::test

#endif  // TALLY_TESTS_CORE_PROMISES_CASES_H_
