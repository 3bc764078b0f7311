// Goal: one training run gives the same bits at every instruction-set level of every machine
// (promise P2).
// Method: each run of the list at each level of this architecture, compared with one committed
// digest. deploy/cross/test-levels.sh runs the same program on emulated boards.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <tuple>

#include "core/algorithms/algorithms.h"
#include "core/kernels/level.h"
#include "tests/core/identity/runs.h"

namespace tally {
namespace {

using kernels::Level;

#if defined(__x86_64__)
constexpr Level kLevels[] = {Level::kScalar, Level::kSse2, Level::kAvx2, Level::kAvx512};
#elif defined(__aarch64__)
constexpr Level kLevels[] = {Level::kScalar, Level::kNeon, Level::kDotProduct};
#elif defined(__arm__)
constexpr Level kLevels[] = {Level::kScalar, Level::kSimd32, Level::kNeon};
#else
constexpr Level kLevels[] = {Level::kScalar};
#endif

using Case = std::tuple<test::IdentityRun, Level>;

std::string NameOf(const testing::TestParamInfo<Case>& info) {
  const auto& [run, level] = info.param;
  return std::string(run.name) + "_" + std::string(kernels::LevelName(level));
}

class IdentityTest : public testing::TestWithParam<Case> {
 protected:
  ~IdentityTest() override { kernels::SetActiveLevel(before_); }
  const Level before_ = kernels::ActiveLevel();
};

TEST_P(IdentityTest, HasTheCommittedDigest) {
  const auto& [run, level] = GetParam();
  const auto usable = kernels::UsableLevels();
  if (std::find(usable.begin(), usable.end(), level) == usable.end()) {
    GTEST_SKIP() << "this CPU has no " << kernels::LevelName(level);
  }
  kernels::SetActiveLevel(level);
  EXPECT_EQ(test::RunDigest(run), run.digest);
}

INSTANTIATE_TEST_SUITE_P(Machines, IdentityTest,
                         testing::Combine(testing::ValuesIn(test::IdentityRuns().begin(),
                                                            test::IdentityRuns().end()),
                                          testing::ValuesIn(kLevels)),
                         NameOf);

TEST(IdentityRunsTest, OneTrainingStepMoreIsAnotherDigest) {
  test::IdentityRun run = test::IdentityRuns()[0];
  ++run.steps;
  EXPECT_NE(test::RunDigest(run), run.digest);
}

TEST(IdentityRunsTest, EveryAlgorithmOfTheZooIsInTheList) {
  for (const std::string& name : ZooNames()) {
    const std::string algorithm = ZooSpec(name)->algorithm;
    const auto runs = test::IdentityRuns();
    EXPECT_TRUE(std::any_of(
        runs.begin(), runs.end(),
        [&](const test::IdentityRun& run) { return test::SpecOf(run).algorithm == algorithm; }))
        << algorithm << ": add a run to tests/core/identity/runs.cc";
  }
}

}  // namespace
}  // namespace tally
