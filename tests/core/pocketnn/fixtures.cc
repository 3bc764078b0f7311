#include "tests/core/pocketnn/fixtures.h"

namespace tally::test {

ModelSpec SmallSpec(Activation activation, CreditAssignment training) {
  ModelSpec spec;
  spec.name = "small";
  spec.algorithm = "pocketnn";
  spec.input.shape = {3, 4};
  for (const uint32_t units : {7u, 5u, 3u}) {
    spec.layers.push_back({.units = units, .activation = activation});
  }
  spec.classes = 3;
  spec.batch_size = 6;
  spec.learning_rate = {{.from_step = 0, .inverse = 200}};
  spec.schedule_steps = 100;
  spec.seed = 42;
  spec.pocketnn.training = training;
  return spec;
}

}  // namespace tally::test
