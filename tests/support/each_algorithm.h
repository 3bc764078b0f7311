// For suites that hold for every algorithm:
//
//   class FlowTest : public EachAlgorithmTest { ... };
//   TEST_P(FlowTest, ARerunGoesOn) { ... SmallSpec(GetParam()) ... }
//   INSTANTIATE_TEST_SUITE_P(EachAlgorithm, FlowTest, EachAlgorithm(), AlgorithmName);
//
// Nothing in such a suite names an algorithm. A new one is added to the list here; tests/core and
// the makers of small specs (tiny_model.h, tests/daemon/e2e/small_world.h) then ask for it.

#ifndef TALLY_TESTS_SUPPORT_EACH_ALGORITHM_H_
#define TALLY_TESTS_SUPPORT_EACH_ALGORITHM_H_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/learner/model_spec.h"

namespace tally::testing {

inline std::vector<std::string> Algorithms() { return {kPocketNnName, kNitiName}; }

class EachAlgorithmTest : public ::testing::TestWithParam<std::string> {};

inline auto EachAlgorithm() { return ::testing::ValuesIn(Algorithms()); }

inline std::string AlgorithmName(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace tally::testing

#endif  // TALLY_TESTS_SUPPORT_EACH_ALGORITHM_H_
