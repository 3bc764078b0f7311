// Goal: the daemon as an administrator meets it: flags, signals, exit codes, sockets, systemd.
// Method: the real binary in a process of its own, in a temporary folder, talked to with real
// stubs.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "inference/grpc_predict_v2.grpc.pb.h"
#include "tally/v1/models.grpc.pb.h"
#include "tally/v1/training.grpc.pb.h"
#include "tests/daemon/process/daemon_process.h"

namespace tally {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSpec[] =
    "{name: door, algorithm: pocketnn, input: {shape: [4], type: uint8}, classes: 2, batch_size: 4,"
    " layers: [{units: 2}], learning_rate: [{from_step: 0, inverse: 100}], schedule_steps: 10}";

class Context : public grpc::ClientContext {
 public:
  Context() { set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120)); }
};

class TallydTest : public ::testing::Test {
 protected:
  // Configuration with a model "door" and no drain delay; `more` is added.
  std::string Config(const std::string& more = "") {
    const std::string path = folder_ / "tallyd.yaml";
    WriteFile(path, "version: 1\nstate_dir: " + (folder_ / "state") +
                        "\nlisten: {unix: " + (folder_ / "t.sock") +
                        "}\ndrain: {delay: 0}\nmodels: [" + kSpec + "]\n" + more);
    return path;
  }
  std::unique_ptr<DaemonProcess> Start(const std::vector<std::string>& arguments,
                                       const std::vector<std::string>& environment = {},
                                       const std::function<void()>& in_child = {}) {
    const std::string log = folder_ / ("log" + std::to_string(++started_));
    return std::make_unique<DaemonProcess>(
        DaemonProcess::Options{arguments, environment, in_child, launcher_}, log);
  }
  std::unique_ptr<DaemonProcess> StartReady(const std::string& more = "") {
    auto daemon = Start({"--config", Config(more)});
    EXPECT_TRUE(daemon->WaitForLog("info: ready")) << daemon->Log();
    return daemon;
  }
  std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // http_proxy knows nothing of our ports
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  std::shared_ptr<grpc::Channel> Connect() { return Connect("unix:" + (folder_ / "t.sock")); }

  static grpc::Status Train(const std::shared_ptr<grpc::Channel>& channel, uint64_t first, int rows,
                            v1::TrainResponse& response) {
    Context context;
    v1::TrainRequest request;
    request.set_model("door");
    request.set_source("test");
    request.mutable_samples()->set_first_sequence(first);
    for (int i = 0; i < rows; ++i) {
      request.mutable_samples()->add_labels(static_cast<uint32_t>(i % 2));
      request.mutable_samples()->mutable_rows()->append(4, static_cast<char>(i % 2 == 0 ? 9 : 90));
    }
    return v1::Training::NewStub(channel)->Train(&context, request, &response);
  }
  static grpc::Status Get(const std::shared_ptr<grpc::Channel>& channel, v1::Model& model) {
    Context context;
    v1::GetRequest request;
    request.set_name("door");
    v1::GetResponse response;
    const grpc::Status status = v1::Models::NewStub(channel)->Get(&context, request, &response);
    model = response.model();
    return status;
  }

  TempFolder folder_;
  std::vector<std::string> launcher_;
  int started_ = 0;
};

TEST_F(TallydTest, HelpAndVersionGoToStandardOutput) {
  const auto help = Start({"--help"});
  EXPECT_EQ(help->Wait(), 0);
  EXPECT_THAT(help->Log(), AllOf(HasSubstr("Usage: tallyd"), HasSubstr("Example:")));
  const auto version = Start({"--version"});
  EXPECT_EQ(version->Wait(), 0);
  EXPECT_THAT(version->Log(), ::testing::StartsWith("tallyd "));
}

TEST_F(TallydTest, ABadFlagIsAUsageError) {
  const auto daemon = Start({"--frobnicate"});
  EXPECT_EQ(daemon->Wait(), 64);
  EXPECT_THAT(daemon->Log(), HasSubstr("--frobnicate"));
}

TEST_F(TallydTest, CheckConfigSaysOkOrWhatIsWrong) {
  const auto good = Start({"--config", Config(), "--check-config"});
  EXPECT_EQ(good->Wait(), 0);
  EXPECT_EQ(good->Log(), "OK\n");
  const auto bad = Start({"--config", Config("limits: {rwos: 5}\n"), "--check-config"});
  EXPECT_EQ(bad->Wait(), 78);
  EXPECT_THAT(bad->Log(), AllOf(HasSubstr("tallyd.yaml:6: limits.rwos: "), HasSubstr("rows")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "state"));
}

TEST_F(TallydTest, ABadConfigurationStopsTheStart) {
  const auto daemon = Start({"--config", Config("log: {level: loud}\n")});
  EXPECT_EQ(daemon->Wait(), 78);
}

TEST_F(TallydTest, AKernelLevelThatDoesNotExistStopsTheStartAndAUsableOneIsLogged) {
  const auto bad = Start({"--config", Config()}, {"TALLY_KERNEL_LEVEL=fast"});
  EXPECT_EQ(bad->Wait(), 78);
  EXPECT_THAT(bad->Log(),
              AllOf(HasSubstr("TALLY_KERNEL_LEVEL: \"fast\" is no kernel level; expected one of: "
                              "scalar"),
                    ::testing::Not(HasSubstr("ready"))));
  const auto good = Start({"--config", Config()}, {"TALLY_KERNEL_LEVEL=scalar"});
  ASSERT_TRUE(good->WaitForLog("ready"));
  EXPECT_THAT(good->Log(), HasSubstr("kernels=scalar"));
}

TEST_F(TallydTest, PrintConfigShowsOrigins) {
  const auto daemon = Start({"--config", Config(), "--print-config", "--state-dir", "/elsewhere"});
  EXPECT_EQ(daemon->Wait(), 0);
  EXPECT_THAT(daemon->Log(), AllOf(HasSubstr("state_dir: \"/elsewhere\"  # command line"),
                                   HasSubstr("  rows: 4096  # default"), HasSubstr("\"door\"")));
}

TEST_F(TallydTest, SigtermDrainsCheckpointsAndExitsZero) {
  auto daemon = StartReady();
  v1::TrainResponse response;
  ASSERT_TRUE(Train(Connect(), 1, 10, response).ok());
  daemon->Signal(SIGTERM);
  EXPECT_EQ(daemon->Wait(), 0) << daemon->Log();
  EXPECT_THAT(daemon->Log(), AllOf(HasSubstr("info: stopping"), HasSubstr("info: stopped")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "t.sock"));
  // Two whole mini-batches of 4 are in the checkpoint; the partial one waits in the journal.
  EXPECT_TRUE(std::filesystem::exists(folder_ / "state/models/door/checkpoints/8.safetensors"));

  daemon = StartReady();
  v1::Model model;
  ASSERT_TRUE(Get(Connect(), model).ok());
  EXPECT_EQ(model.state(), v1::MODEL_STATE_READY);
  EXPECT_EQ(model.step(), 2u);
  ASSERT_TRUE(Train(Connect(), 9, 4, response).ok());
  EXPECT_EQ(response.skipped(), 2u);
  EXPECT_EQ(response.accepted(), 2u);
}

TEST_F(TallydTest, SigintStopsToo) {
  auto daemon = StartReady();
  daemon->Signal(SIGINT);
  EXPECT_EQ(daemon->Wait(), 0);
}

TEST_F(TallydTest, DuringTheDrainDelayItServesButIsNotReady) {
  WriteFile(folder_ / "tallyd.yaml", "");
  const std::string config = Config();
  WriteFile(config, "version: 1\nstate_dir: " + (folder_ / "state") +
                        "\nlisten: {unix: " + (folder_ / "t.sock") +
                        "}\ndrain: {delay: 10 min}\nmodels: [" + kSpec + "]\n");
  auto daemon = Start({"--config", config});
  ASSERT_TRUE(daemon->WaitForLog("info: ready"));
  const auto channel = Connect();
  v1::TrainResponse response;
  ASSERT_TRUE(Train(channel, 1, 4, response).ok());
  daemon->Signal(SIGTERM);
  ASSERT_TRUE(daemon->WaitForLog("info: stopping"));
  EXPECT_TRUE(Train(channel, 5, 4, response).ok());
  inference::ServerReadyResponse ready;
  Context context;
  ASSERT_TRUE(
      inference::GRPCInferenceService::NewStub(channel)->ServerReady(&context, {}, &ready).ok());
  EXPECT_FALSE(ready.ready());
  daemon->Signal(SIGTERM);  // cuts the delay short
  EXPECT_EQ(daemon->Wait(), 0);
}

TEST_F(TallydTest, AnOpenStreamIsAcknowledgedBeforeTheEnd) {
  auto daemon = StartReady();
  Context context;
  const auto stub = v1::Training::NewStub(Connect());
  const auto stream = stub->TrainStream(&context);
  v1::TrainStreamRequest request;
  request.set_model("door");
  request.set_source("test");
  request.mutable_samples()->set_first_sequence(1);
  request.mutable_samples()->set_rows(std::string(8, '\1'));
  request.mutable_samples()->add_labels(0);
  request.mutable_samples()->add_labels(1);
  stream->Write(request);
  v1::TrainStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  daemon->Signal(SIGTERM);
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(response.progress().durable_through(), 2u);
  EXPECT_EQ(daemon->Wait(), 0);
}

TEST_F(TallydTest, CheckConfigCoversDropInsAndVariables) {
  const std::string config = Config();
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(folder_ / "conf.d/10.yaml", "limits: {rows: 3}\n");
  const auto printed =
      Start({"--config", config, "--print-config"}, {"TALLY_LIMITS__STREAMS=9", "TALLY_LONG=1"});
  EXPECT_EQ(printed->Wait(), 0);
  EXPECT_THAT(printed->Log(),
              AllOf(HasSubstr("  rows: 3  # " + (folder_ / "conf.d/10.yaml") + ":1\n"),
                    HasSubstr("  streams: 9  # TALLY_LIMITS__STREAMS\n")));
  const auto variable = Start({"--config", config, "--check-config"}, {"TALLY_LIMITS__STREAM=9"});
  EXPECT_EQ(variable->Wait(), 78);
  EXPECT_THAT(variable->Log(), HasSubstr("tallyd: TALLY_LIMITS__STREAM: unknown variable; did you "
                                         "mean TALLY_LIMITS__STREAMS?"));
  WriteFile(folder_ / "conf.d/20.yaml", "\nlimits: {rows: none}\n");
  const auto drop_in = Start({"--config", config, "--check-config"});
  EXPECT_EQ(drop_in->Wait(), 78);
  EXPECT_THAT(drop_in->Log(), HasSubstr("conf.d/20.yaml:2: limits.rows: got \"none\""));
}

TEST_F(TallydTest, SighupReadsDropInsAgain) {
  auto daemon = StartReady();
  const auto channel = Connect();
  v1::TrainResponse response;
  ASSERT_TRUE(Train(channel, 1, 4, response).ok());
  std::filesystem::create_directory(folder_ / "conf.d");
  WriteFile(folder_ / "conf.d/10.yaml", "limits: {rows: 2}\n");
  daemon->Signal(SIGHUP);
  ASSERT_TRUE(daemon->WaitForLog("info: reloaded key=limits.rows")) << daemon->Log();
  EXPECT_EQ(Train(channel, 5, 4, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Train(channel, 5, 2, response).ok());
}

TEST_F(TallydTest, SighupReloadsLimitsAndLevelAndNamesWhatNeedsARestart) {
  auto daemon = StartReady();
  const auto channel = Connect();
  v1::TrainResponse response;
  ASSERT_TRUE(Train(channel, 1, 4, response).ok());
  Config("limits: {rows: 2, journal: 32 MiB}\nlog: {level: warning}\nreflection: false\n");
  daemon->Signal(SIGHUP);
  ASSERT_TRUE(daemon->WaitForLog("info: reloaded key=limits.rows")) << daemon->Log();
  EXPECT_THAT(daemon->Log(), AllOf(HasSubstr("needs restart key=limits.journal"),
                                   HasSubstr("needs restart key=reflection")));
  EXPECT_EQ(Train(channel, 5, 4, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_TRUE(Train(channel, 5, 2, response).ok());

  WriteFile(folder_ / "tallyd.yaml", "version: 1\nlimits: {rows: none}\n");
  daemon->Signal(SIGHUP);
  ASSERT_TRUE(daemon->WaitForLog("error: cannot reload"));
  EXPECT_TRUE(Train(channel, 7, 2, response).ok());
  daemon->Signal(SIGTERM);
  EXPECT_EQ(daemon->Wait(), 0);
  EXPECT_THAT(daemon->Log(), Not(HasSubstr("info: stopping")));  // the level is warning now
}

TEST_F(TallydTest, ASecondDaemonOnTheSameStateIsRefusedAndNamesTheHolder) {
  auto first = StartReady();
  auto second =
      Start({"--state-dir", folder_ / "state", "--listen", "unix:" + (folder_ / "second.sock")});
  EXPECT_EQ(second->Wait(), 75);
  EXPECT_THAT(second->Log(), HasSubstr(std::to_string(first->pid())));
}

TEST_F(TallydTest, ASecondDaemonOnTheSameSocketIsRefused) {
  auto first = StartReady();
  auto second =
      Start({"--state-dir", folder_ / "other", "--listen", "unix:" + (folder_ / "t.sock")});
  EXPECT_EQ(second->Wait(), 69);
  EXPECT_THAT(second->Log(), HasSubstr("another process answers on"));
  v1::Model model;
  EXPECT_TRUE(Get(Connect(), model).ok());
}

TEST_F(TallydTest, AStateDirectoryThatCannotBeMadeIsNamed) {
  WriteFile(folder_ / "file", "");
  auto daemon =
      Start({"--state-dir", folder_ / "file/state", "--listen", "unix:" + (folder_ / "t.sock")});
  EXPECT_EQ(daemon->Wait(), 73);
  EXPECT_THAT(daemon->Log(), HasSubstr("file/state"));
}

TEST_F(TallydTest, AKilledDaemonLeavesASocketThatTheNextOneReplaces) {
  auto daemon = StartReady();
  v1::TrainResponse response;
  ASSERT_TRUE(Train(Connect(), 1, 10, response).ok());
  daemon->Signal(SIGKILL);
  EXPECT_EQ(daemon->Wait(), 128 + SIGKILL);
  ASSERT_TRUE(std::filesystem::exists(folder_ / "t.sock"));
  daemon = StartReady();
  v1::Model model;
  ASSERT_TRUE(Get(Connect(), model).ok());
  EXPECT_EQ(model.accepted_position(), 10u);
}

TEST_F(TallydTest, PortZeroIsPrintedAndAnswers) {
  auto daemon = Start({"--config", Config(), "--listen", "127.0.0.1:0"});
  ASSERT_TRUE(daemon->WaitForLog("info: ready"));
  EXPECT_THAT(daemon->Address(0), ::testing::StartsWith("127.0.0.1:"));
  v1::Model model;
  EXPECT_TRUE(Get(Connect(daemon->Address(0)), model).ok());
}

TEST_F(TallydTest, AConfiguredSpecThatDiffersFromTheStoredOneIsRefusedAndBothAreShown) {
  StartReady()->Signal(SIGTERM);
  std::string changed = kSpec;
  changed.replace(changed.find("inverse: 100"), 12, "inverse: 200");
  WriteFile(folder_ / "tallyd.yaml", "version: 1\nstate_dir: " + (folder_ / "state") +
                                         "\nlisten: {unix: " + (folder_ / "t.sock") +
                                         "}\nmodels:\n  - " + changed + "\n");
  auto daemon = Start({"--config", folder_ / "tallyd.yaml"});
  ASSERT_TRUE(daemon->WaitForLog("info: ready")) << daemon->Log();
  v1::TrainResponse response;
  const grpc::Status status = Train(Connect(), 1, 4, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(),
              AllOf(HasSubstr("tallyd.yaml:5"), HasSubstr("\"inverse\":200"),
                    HasSubstr("\"inverse\":100")));
  v1::Model model;
  ASSERT_TRUE(Get(Connect(), model).ok());
  EXPECT_EQ(model.state(), v1::MODEL_STATE_FAILED);
}

TEST_F(TallydTest, ConnectionsBeyondTheLimitAreClosedAndThoseThatEndMakeRoom) {
  auto daemon = StartReady("limits: {connections: 2}\n");
  v1::Model model;
  auto first = Connect();
  auto second = Connect();
  ASSERT_TRUE(Get(first, model).ok());
  ASSERT_TRUE(Get(second, model).ok());
  EXPECT_EQ(Get(Connect(), model).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(daemon->WaitForLog("connection refused"));
  second.reset();
  // The daemon sees the end of the second one a moment later.
  grpc::Status status;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  do {
    status = Get(Connect(), model);
  } while (!status.ok() && std::chrono::steady_clock::now() < deadline);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_TRUE(Get(first, model).ok());
}

// What systemd would receive on $NOTIFY_SOCKET.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : path_(path) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  ~NotifySocket() { close(fd_); }
  std::string variable() const { return "NOTIFY_SOCKET=" + path_; }
  // Reads messages until one holds `text`; all of them.
  std::string WaitFor(const std::string& text) {
    std::string all;
    char buffer[4096];
    pollfd entry = {fd_, POLLIN, 0};
    while (all.find(text) == std::string::npos && poll(&entry, 1, 120'000) == 1) {
      const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
      all.append(buffer, static_cast<size_t>(std::max<ssize_t>(size, 0)));
      all.push_back('\n');
    }
    return all;
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

TEST_F(TallydTest, SystemdIsToldOfReadinessReloadWatchdogAndEnd) {
  NotifySocket notify(folder_ / "notify");
  auto daemon = Start({"--config", Config()}, {notify.variable(), "WATCHDOG_USEC=100000"},
                      [] { unsetenv("WATCHDOG_PID"); });
  EXPECT_THAT(notify.WaitFor("READY=1"), HasSubstr("STATUS="));
  EXPECT_THAT(notify.WaitFor("WATCHDOG=1"), HasSubstr("WATCHDOG=1"));
  daemon->Signal(SIGHUP);
  EXPECT_THAT(notify.WaitFor("RELOADING=1"), HasSubstr("MONOTONIC_USEC="));
  EXPECT_THAT(notify.WaitFor("READY=1"), HasSubstr("READY=1"));
  daemon->Signal(SIGTERM);
  EXPECT_THAT(notify.WaitFor("STOPPING=1"), HasSubstr("STOPPING=1"));
  EXPECT_THAT(notify.WaitFor("EXTEND_TIMEOUT_USEC="), HasSubstr("EXTEND_TIMEOUT_USEC="));
  EXPECT_EQ(daemon->Wait(), 0);
}

TEST_F(TallydTest, ASocketPassedBySystemdIsServedInsteadOfTheConfiguredOnes) {
  const std::string path = folder_ / "passed.sock";
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  auto daemon = Start({"--config", Config()}, {"LISTEN_FDS=1"}, [listener] {
    dup2(listener, 3);
    static char variable[64];
    snprintf(variable, sizeof(variable), "LISTEN_PID=%d", static_cast<int>(getpid()));
    putenv(variable);
  });
  close(listener);
  ASSERT_TRUE(daemon->WaitForLog("info: ready")) << daemon->Log();
  EXPECT_EQ(daemon->Address(0), "unix:" + path);
  EXPECT_EQ(daemon->Address(1), "");
  v1::Model model;
  EXPECT_TRUE(Get(Connect("unix:" + path), model).ok());
  daemon->Signal(SIGTERM);
  EXPECT_EQ(daemon->Wait(), 0);
  EXPECT_TRUE(std::filesystem::exists(path));  // it is systemd's
}

TEST_F(TallydTest, TheFirstClientOfAnActivatedSocketStartsTheDaemonAndIsServed) {
  const std::string path = folder_ / "activated.sock";
  launcher_ = {"systemd-socket-activate", "--listen=" + path, "--fdname=grpc",
               "--setenv=TALLY_LISTEN__TCP=127.0.0.1:0"};
  auto daemon = Start({"--config", Config()});
  ASSERT_TRUE(daemon->WaitForLog("Listening on")) << daemon->Log();
  v1::TrainResponse response;
  const grpc::Status trained = Train(Connect("unix:" + path), 1, 8, response);
  ASSERT_TRUE(trained.ok()) << trained.error_message() << daemon->Log();
  EXPECT_EQ(response.accepted(), 8u);
  // systemd's Unix socket stands for the configured one; the TCP one has no such stand-in.
  ASSERT_TRUE(daemon->WaitForLog("info: ready")) << daemon->Log();
  EXPECT_EQ(daemon->Address(0), "unix:" + path);
  EXPECT_THAT(daemon->Address(1), ::testing::StartsWith("127.0.0.1:"));
  EXPECT_EQ(daemon->Address(2), "");
  v1::Model model;
  EXPECT_TRUE(Get(Connect(daemon->Address(1)), model).ok());
  EXPECT_EQ(model.accepted_position(), 8u);
  daemon->Signal(SIGTERM);
  EXPECT_EQ(daemon->Wait(), 0);
}

}  // namespace
}  // namespace tally
