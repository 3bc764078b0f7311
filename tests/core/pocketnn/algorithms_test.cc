// Goal: MakeLearner and the zoo hand out valid models and refuse the others with a useful message.
// Method: every zoo entry is built; bad specs and names one by one.

#include "core/algorithms/algorithms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/algorithms/pocketnn/reference_run.h"
#include "core/learner/model_spec_reader.h"
#include "tests/core/pocketnn/fixtures.h"

namespace tally {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ZooTest, EveryNetworkIsValidAndIsBuilt) {
  EXPECT_THAT(ZooNames(), ElementsAre("niti/fashion-mlp", "niti/golden-lenet", "niti/golden-mlp",
                                      "niti/har", "niti/har-conv", "niti/lenet", "niti/mnist-mlp",
                                      "niti/mnist-online", "niti/vgg-small-7", "niti/vgg-small-8",
                                      "niti/vgg-small-9", "niti/vgg-tiny", "pocketnn/fashion-mlp",
                                      "pocketnn/mnist-mlp", "pocketnn/reference-mnist"));
  for (const std::string& name : ZooNames()) {
    const auto spec = ZooSpec(name);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_TRUE(ValidateModelSpec(*spec).ok()) << ValidateModelSpec(*spec);
    if (spec->pocketnn.profile == PocketNnProfile::kReference) {
      EXPECT_TRUE(MakeReferenceRun(*spec).ok());
    } else {
      EXPECT_TRUE(MakeLearner(*spec).ok());
    }
  }
}

TEST(ZooTest, NetworksHaveThePapersShapes) {
  const ModelSpec mnist = *ZooSpec("pocketnn/mnist-mlp");
  EXPECT_EQ(mnist.InputElements(), 784u);
  EXPECT_EQ(ParameterCount(mnist), 784u * 100 + 100 + 100 * 50 + 50 + 50 * 10 + 10);
  const ModelSpec fashion = *ZooSpec("pocketnn/fashion-mlp");
  EXPECT_EQ(ParameterCount(fashion),
            784u * 200 + 200 + 200 * 100 + 100 + 100 * 50 + 50 + 50 * 10 + 10);
  EXPECT_EQ(fashion.labels[8], "Bag");
  EXPECT_EQ(ParameterCount(*ZooSpec("niti/lenet")), 25u * 20 + 500 * 50 + 800 * 500 + 500 * 10);
  EXPECT_EQ(ParameterCount(*ZooSpec("niti/vgg-small-7")),
            9u * (3 * 128 + 128 * 128 + 128 * 256 + 256 * 256 + 256 * 512 + 512 * 512) + 8192 * 10);
  EXPECT_EQ(ParameterCount(*ZooSpec("niti/har-conv")), 45u * 32 + 160 * 64 + 1856 * 100 + 100 * 6);
}

TEST(ZooTest, AnUnknownNameIsNotFoundAndTheNearestIsNamed) {
  const auto spec = ZooSpec("pocketnn/mnist-mpl");
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(spec.status().message()),
              HasSubstr("did you mean \"pocketnn/mnist-mlp\"?"));
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("pocketnn/reference-mnist"));
}

TEST(MakeLearnerTest, RefusesAReferenceProfileAndNamesFit) {
  const auto learner = MakeLearner(*ZooSpec("pocketnn/reference-mnist"));
  EXPECT_EQ(learner.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(learner.status().message()), HasSubstr("tally fit"));
}

TEST(MakeLearnerTest, RefusesAnInvalidSpecAndOneThatCouldOverflow) {
  ModelSpec invalid = test::SmallSpec(Activation::kPocketTanh, CreditAssignment::kDirectFeedback);
  invalid.classes = 4;
  EXPECT_EQ(MakeLearner(invalid).status().code(), absl::StatusCode::kInvalidArgument);
  ModelSpec overflowing = test::SmallSpec(Activation::kAsIs, CreditAssignment::kBackPropagation);
  const auto learner = MakeLearner(overflowing);
  EXPECT_EQ(learner.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(learner.status().message()), HasSubstr("worst case"));
}

TEST(MakeReferenceRunTest, RefusesAStandardProfile) {
  const auto run = MakeReferenceRun(*ZooSpec("pocketnn/mnist-mlp"));
  EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(run.status().message()), HasSubstr("pocketnn.profile"));
}

}  // namespace
}  // namespace tally
