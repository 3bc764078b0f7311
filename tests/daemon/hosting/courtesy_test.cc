// Goal: a trainer gives way while models are looked at, and only then.
// Method: a clock moved by hand, and a count in place of the scheduler.

#include "daemon/hosting/courtesy.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "daemon/hosting/host_state.h"
#include "tests/support/manual_clock.h"

namespace tally::hosting {
namespace {

class CourtesyTest : public ::testing::Test {
 protected:
  storage::ManualClock clock_;
  int given_ = 0;
  Courtesy courtesy_{clock_, [this] { ++given_; }};
};

TEST_F(CourtesyTest, NobodyAsksNobodyWaits) {
  for (int step = 0; step < 5; ++step) courtesy_.AfterStep(0);
  EXPECT_EQ(given_, 0);
}

TEST_F(CourtesyTest, GivesWayAfterEveryStepForASecondAfterAQuestion) {
  courtesy_.AfterStep(1);
  courtesy_.AfterStep(1);
  EXPECT_EQ(given_, 2);
  clock_.AdvanceNs(Courtesy::kMemoryNs - 1);
  courtesy_.AfterStep(1);
  EXPECT_EQ(given_, 3);
  clock_.AdvanceNs(1);
  courtesy_.AfterStep(1);
  EXPECT_EQ(given_, 3);
}

TEST_F(CourtesyTest, EveryQuestionBeginsTheSecondAnew) {
  courtesy_.AfterStep(1);
  clock_.AdvanceNs(Courtesy::kMemoryNs - 1);
  courtesy_.AfterStep(2);
  clock_.AdvanceNs(Courtesy::kMemoryNs - 1);
  courtesy_.AfterStep(2);
  EXPECT_EQ(given_, 3);
}

TEST(QuestionsTest, ModelsOfADaemonCountTogether) {
  storage::ManualClock clock;
  HostHooks hooks;
  hooks.questions = std::make_shared<std::atomic<uint64_t>>(0);
  const HostState asked(clock, "asked", hooks);
  const HostState learning(clock, "learning", hooks);
  const HostState alone(clock, "alone", {});
  EXPECT_EQ(asked.snapshot(), nullptr);
  EXPECT_EQ(asked.snapshot(), nullptr);
  EXPECT_EQ(learning.questions(), 2u);
  EXPECT_EQ(alone.questions(), 0u);
}

}  // namespace
}  // namespace tally::hosting
