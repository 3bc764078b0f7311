// Goal: the level in use is one that the machine can run, and the environment can only name such.
// Method: the environment variable set to every kind of value.

#include "core/kernels/level.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace tally::kernels {
namespace {

using ::testing::HasSubstr;

class LevelTest : public ::testing::Test {
 protected:
  LevelTest() {
    if (const char* before = std::getenv(kLevelVariable)) before_ = before;
  }
  ~LevelTest() override {
    if (before_) {
      setenv(kLevelVariable, before_->c_str(), 1);
    } else {
      unsetenv(kLevelVariable);
    }
  }

 private:
  std::optional<std::string> before_;
};

TEST_F(LevelTest, ScalarIsAlwaysUsableAndFirst) {
  ASSERT_FALSE(UsableLevels().empty());
  EXPECT_EQ(UsableLevels().front(), Level::kScalar);
  EXPECT_TRUE(std::is_sorted(UsableLevels().begin(), UsableLevels().end()));
}

TEST_F(LevelTest, AnyUsableLevelCanBeNamedAndNothingElse) {
  unsetenv(kLevelVariable);
  EXPECT_EQ(LevelVariableProblem(), std::nullopt);
  for (const Level level : UsableLevels()) {
    setenv(kLevelVariable, std::string(LevelName(level)).c_str(), 1);
    EXPECT_EQ(LevelVariableProblem(), std::nullopt) << LevelName(level);
  }
  setenv(kLevelVariable, "Scalar", 1);
  EXPECT_THAT(
      LevelVariableProblem().value_or(""),
      HasSubstr("TALLY_KERNEL_LEVEL: \"Scalar\" is no kernel level; expected one of: scalar"));
  setenv(kLevelVariable, "", 1);
  EXPECT_THAT(LevelVariableProblem().value_or(""), HasSubstr("\"\" is no kernel level"));
}

TEST_F(LevelTest, ALevelOfAnotherMachineIsRefused) {
  for (const Level level : {Level::kNeon, Level::kSse2}) {
    const auto usable = UsableLevels();
    if (std::find(usable.begin(), usable.end(), level) != usable.end()) continue;
    setenv(kLevelVariable, std::string(LevelName(level)).c_str(), 1);
    EXPECT_THAT(LevelVariableProblem().value_or(""), HasSubstr("is beyond this machine"));
  }
}

TEST_F(LevelTest, TheActiveLevelCanBeChanged) {
  const Level before = ActiveLevel();
  for (const Level level : UsableLevels()) {
    SetActiveLevel(level);
    EXPECT_EQ(ActiveLevel(), level);
  }
  SetActiveLevel(before);
}

}  // namespace
}  // namespace tally::kernels
