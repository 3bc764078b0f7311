// Goal: commands wait for a model that the daemon is still recovering, as long as --wait says, and
// for nothing else.
// Method: the command line against a server in this process whose model needs a scripted number of
// questions to be ready.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "tally/v1/models.grpc.pb.h"
#include "tests/client/cli/run_tally.h"
#include "tests/support/temporary_folder.h"

namespace tally::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Its model is in `state` for the first `busy` calls of Get, then READY; Digest fails before that,
// as the daemon's does.
class RecoveringModels final : public v1::Models::Service {
 public:
  std::atomic<uint32_t> busy = 0;
  std::atomic<uint32_t> asked = 0;
  std::atomic<v1::ModelState> state = v1::MODEL_STATE_REPLAYING;

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   v1::GetResponse* response) override {
    if (request->name() != "digits") return {grpc::StatusCode::NOT_FOUND, "no such model"};
    const uint32_t question = ++asked;
    response->mutable_model()->mutable_spec()->set_name("digits");
    response->mutable_model()->set_state(v1::MODEL_STATE_READY);
    if (question <= busy) {
      response->mutable_model()->set_state(state);
      response->mutable_model()->set_state_detail(std::to_string(question) + "/9");
    }
    return grpc::Status::OK;
  }

  grpc::Status Digest(grpc::ServerContext*, const v1::DigestRequest*,
                      v1::DigestResponse* response) override {
    if (asked <= busy) return {grpc::StatusCode::FAILED_PRECONDITION, "called too early"};
    response->set_state_digest("d1935");
    return grpc::Status::OK;
  }
};

class ModelWaitTest : public testing::Test {
 protected:
  ModelWaitTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&models_);
    server_ = builder.BuildAndStart();
  }
  ~ModelWaitTest() override { server_->Shutdown(); }

  std::string address() const { return "unix:" + folder_.Path("socket"); }
  RunResult Digest(const std::vector<std::string>& more = {}, bool terminal = false) const {
    std::vector<std::string> arguments = {"--server", address(), "digest", "digits", "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTally(arguments, terminal);
  }

  TemporaryFolder folder_;
  RecoveringModels models_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(ModelWaitTest, ARecoveringModelIsWaitedFor) {
  models_.busy = 3;
  const RunResult result = Digest();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\"digest\":\"d1935\""));
  EXPECT_EQ(models_.asked, 4u);
  EXPECT_THAT(result.err, Not(HasSubstr("waiting")));
}

TEST_F(ModelWaitTest, AModelUnderCreationIsWaitedForToo) {
  models_.busy = 1;
  models_.state = v1::MODEL_STATE_CREATING;
  EXPECT_EQ(Digest().exit_code, 0);
}

TEST_F(ModelWaitTest, ATerminalShowsTheProgressAndIsCleanAfterwards) {
  models_.busy = 2;
  const RunResult result = Digest({}, /*terminal=*/true);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, AllOf(HasSubstr("\rwaiting for digits: REPLAYING (1/9)\x1b[K"),
                                HasSubstr("\rwaiting for digits: REPLAYING (2/9)\x1b[K"),
                                HasSubstr("\r\x1b[Kd1935")));
}

TEST_F(ModelWaitTest, PatienceEndsWhenWaitSaysSo) {
  models_.busy = 1'000'000;
  for (const char* wait : {"0", "1"}) {
    const RunResult result = Digest({"--wait", wait});
    EXPECT_EQ(result.exit_code, 69);
    EXPECT_THAT(result.err, AllOf(HasSubstr("model \"digits\" is REPLAYING ("),
                                  HasSubstr("after " + std::string(wait) + " s of waiting"),
                                  HasSubstr("--wait SECONDS")));
    EXPECT_THAT(result.LastLine(), HasSubstr("\"code\":\"UNAVAILABLE\""));
  }
}

TEST_F(ModelWaitTest, WithoutWaitingAReadyModelIsStillServed) {
  EXPECT_EQ(Digest({"--wait", "0"}).exit_code, 0);
  EXPECT_EQ(models_.asked, 1u);
}

TEST_F(ModelWaitTest, OtherStatesAreLeftToTheCall) {
  models_.busy = 1'000'000;
  for (const v1::ModelState state : {v1::MODEL_STATE_CALIBRATING, v1::MODEL_STATE_FAILED}) {
    models_.state = state;
    models_.asked = 0;
    const RunResult result = Digest();
    EXPECT_THAT(result.err, HasSubstr("called too early"));
    EXPECT_EQ(models_.asked, 1u);
  }
}

TEST_F(ModelWaitTest, AnUnknownModelIsNotWaitedFor) {
  const RunResult result = RunTally({"--server", address(), "digest", "letters"});
  EXPECT_EQ(result.exit_code, 66);
  EXPECT_THAT(result.err, HasSubstr("no such model"));
}

TEST_F(ModelWaitTest, EveryCommandThatNeedsAModelHasTheOption) {
  const std::string images = folder_.Write("images", "");
  models_.busy = 1'000'000;
  const std::vector<std::vector<std::string>> commands = {
      {"checkpoint", "digits"},
      {"checkpoints", "digits"},
      {"digest", "digits"},
      {"evaluate", "digits", "--images", images},
      {"export", "digits", "--out", folder_.Path("out")},
      {"predict", "digits", "--images", images},
      {"rollback", "digits", "5"},
      {"train", "digits", "--images", images},
  };
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--server", address(), "--wait", "0"});
    const RunResult result = RunTally(command);
    EXPECT_EQ(result.exit_code, 69) << command[0] << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr("is REPLAYING")) << command[0];
  }
}

TEST_F(ModelWaitTest, ANonsensicalWaitIsAUsageError) {
  for (const char* wait : {"-1", "soon", "86401", ""}) {
    EXPECT_EQ(Digest({"--wait", wait}).exit_code, 64) << wait;
  }
}

}  // namespace
}  // namespace tally::cli
