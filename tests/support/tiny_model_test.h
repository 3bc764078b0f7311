// Base of suites that run on the tiny model of each algorithm.

#ifndef TALLY_TESTS_SUPPORT_TINY_MODEL_TEST_H_
#define TALLY_TESTS_SUPPORT_TINY_MODEL_TEST_H_

#include <cstdint>
#include <string>

#include "tests/support/each_algorithm.h"
#include "tests/support/tiny_model.h"

namespace tally::testing {

class TinyModelTest : public EachAlgorithmTest {
 protected:
  static ModelSpec Tiny(const std::string& name, uint32_t batch_size = 4,
                        uint32_t calibration_samples = 0) {
    return TinySpec(GetParam(), name, batch_size, calibration_samples);
  }
};

}  // namespace tally::testing

#endif  // TALLY_TESTS_SUPPORT_TINY_MODEL_TEST_H_
