// Goal: a daemon's limits hold for what models really take.
// Method: one spec whose mini-batches are large enough to be shared, admitted for one thread and
// for several.

#include "daemon/hosting/admission.h"

#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"

namespace tally::hosting {
namespace {

ModelSpec SharedSpec() {
  ModelSpec spec = testing::TinySpec(kNitiName, "shared", /*batch_size=*/4096);
  spec.layers.front().units = 256;
  return spec;
}

TEST(AdmissionTest, CountsWhatEveryThreadTakes) {
  const ModelSpec spec = SharedSpec();
  ASSERT_GT(ModelBytes(spec, 4), ModelBytes(spec, 1));
  AdmissionLimits limits = {.models_max = 2,
                            .parameters_max = UINT64_MAX,
                            .memory_bytes_max = ModelBytes(spec, 1),
                            .threads = 1};
  EXPECT_TRUE(Admit(limits, {}, spec).ok());
  limits.threads = 4;
  EXPECT_EQ(Admit(limits, {}, spec).code(), absl::StatusCode::kResourceExhausted);
}

TEST(AdmissionTest, CountsTheThreadsOfModelsThatAreThere) {
  const ModelSpec spec = SharedSpec();
  AdmittedLoad load;
  load.Add(spec, 4);
  EXPECT_EQ(load.memory_bytes, ModelBytes(spec, 4));
  AdmissionLimits limits = {.models_max = 2,
                            .parameters_max = UINT64_MAX,
                            .memory_bytes_max = 2 * ModelBytes(spec, 4) - 1,
                            .threads = 4};
  EXPECT_EQ(Admit(limits, load, spec).code(), absl::StatusCode::kResourceExhausted);
  ++limits.memory_bytes_max;
  EXPECT_TRUE(Admit(limits, load, spec).ok());
}

}  // namespace
}  // namespace tally::hosting
