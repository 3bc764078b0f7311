// Goal: listening sockets appear with the right mode, replace only dead ones, and vanish again;
// open connections
//       are counted without traffic waking the counter; log lines stay one line; code that nobody
//       runs does not stay resident.
// Method: real sockets in a temporary folder and on port 0; the kernel's own account of pages.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>

#include "daemon/platform/connection_cap.h"
#include "daemon/platform/listener.h"
#include "daemon/platform/log.h"
#include "daemon/platform/memory.h"

namespace tally::platform {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ListenerTest : public ::testing::Test {
 protected:
  ListenerTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tally-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = (folder_ / "t.sock").string();
  }
  ~ListenerTest() override { std::filesystem::remove_all(folder_); }

  UniqueFd Connect() {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(ListenerTest, AUnixSocketHasItsModeAndVanishesWithTheListener) {
  {
    const auto listener = Listener::Unix(path_, 0640);
    ASSERT_TRUE(listener.ok()) << listener.status();
    struct stat info = {};
    ASSERT_EQ(stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0640u);
    EXPECT_EQ(listener->address(), "unix:" + path_);
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, AStaleSocketIsReplaced) {
  {
    UniqueFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  EXPECT_TRUE(Listener::Unix(path_, 0600).ok());
}

TEST_F(ListenerTest, ALiveSocketAndAPlainFileAreLeftAlone) {
  {
    const auto first = Listener::Unix(path_, 0600);
    ASSERT_TRUE(first.ok());
    const auto second = Listener::Unix(path_, 0600);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.status().message()),
                AllOf(HasSubstr(path_), HasSubstr("another process answers")));
    Connect();
  }
  std::ofstream(path_) << "mine";
  EXPECT_THAT(std::string(Listener::Unix(path_, 0600).status().message()),
              HasSubstr("is no socket"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, ASocketPutInItsPlaceByAnotherIsNotRemoved) {
  auto first = Listener::Unix(path_, 0600);
  ASSERT_TRUE(first.ok());
  {
    const Listener doomed = *std::move(first);
    std::filesystem::rename(path_, folder_ / "elsewhere");
    std::ofstream(path_) << "another";
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, PathsThatAreTooLongOrImpossibleAreErrors) {
  EXPECT_EQ(Listener::Unix(std::string(200, 'a'), 0600).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Listener::Unix("/nowhere/t.sock", 0600).status().message()),
              HasSubstr("/nowhere/t.sock"));
}

TEST_F(ListenerTest, PortZeroGivesAFreePort) {
  const auto v4 = Listener::Tcp("127.0.0.1", 0);
  ASSERT_TRUE(v4.ok()) << v4.status();
  EXPECT_THAT(v4->address(), ::testing::StartsWith("127.0.0.1:"));
  EXPECT_NE(v4->address(), "127.0.0.1:0");
  EXPECT_EQ(Listener::Tcp("localhost", 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ListenerTest, ATakenPortIsNamed) {
  const auto first = Listener::Tcp("127.0.0.1", 0);
  ASSERT_TRUE(first.ok());
  const int port = std::stoi(first->address().substr(10));
  const auto second = Listener::Tcp("127.0.0.1", static_cast<uint16_t>(port));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(first->address()));
}

TEST_F(ListenerTest, WithoutSocketActivationThereAreNoPassedSockets) {
  const auto listeners = Listener::FromSystemd(false);
  ASSERT_TRUE(listeners.ok());
  EXPECT_TRUE(listeners->empty());
}

class ConnectionCapTest : public ::testing::Test {
 protected:
  ConnectionCapTest() {
    std::array<int, 2> ends = {};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    ours_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
  }
  bool Readable() {
    pollfd entry = {cap_.fd(), POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
  }

  ConnectionCap cap_;
  UniqueFd ours_;
  UniqueFd theirs_;
};

TEST_F(ConnectionCapTest, TrafficWakesNobody) {
  ASSERT_TRUE(cap_.Add(ours_.get()));
  ASSERT_EQ(write(theirs_.get(), "x", 1), 1);
  EXPECT_FALSE(Readable());
  EXPECT_EQ(cap_.open(), 1u);
}

TEST_F(ConnectionCapTest, AConnectionThePeerClosedIsForgotten) {
  ASSERT_TRUE(cap_.Add(ours_.get()));
  theirs_.Reset();
  EXPECT_TRUE(Readable());
  cap_.Collect();
  EXPECT_EQ(cap_.open(), 0u);
}

TEST_F(ConnectionCapTest, AConnectionItsOwnerShutDownIsForgottenAndThePeerSeesTheEnd) {
  ASSERT_TRUE(cap_.Add(ours_.get()));
  shutdown(ours_.get(), SHUT_RDWR);
  ours_.Reset();
  EXPECT_TRUE(Readable());
  cap_.Collect();
  EXPECT_EQ(cap_.open(), 0u);
  char byte = 0;
  EXPECT_EQ(read(theirs_.get(), &byte, 1), 0);
}

// A megabyte of this program's file that cannot be written.
constexpr auto kConstants = [] {
  std::array<uint8_t, (1 << 20)> constants{};
  for (size_t i = 0; i < constants.size(); i += 512) constants[i] = static_cast<uint8_t>(i >> 9);
  return constants;
}();

uint64_t SumOfConstants() {
  const volatile uint8_t* constants = kConstants.data();
  return std::accumulate(constants, constants + kConstants.size(), uint64_t{0});
}

// Resident kilobytes of the mapping that holds the constants.
uint64_t ResidentKib() {
  const auto address = reinterpret_cast<uintptr_t>(kConstants.data());
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    const char* last = line.data() + line.size();
    const auto [dash, error] = std::from_chars(line.data(), last, begin, 16);
    if (error == std::errc() && dash != last && *dash == '-') {
      std::from_chars(dash + 1, last, end, 16);
      inside = begin <= address && address < end;
    }
    if (inside && line.starts_with("Rss:")) return std::stoull(line.substr(4));
  }
  ADD_FAILURE() << "the kernel does not know the mapping";
  return 0;
}

TEST(MemoryTest, ConstantsThatNobodyReadsDoNotStayResidentAndAreWhatTheyWere) {
  const uint64_t sum = SumOfConstants();
  const uint64_t before = ResidentKib();
  if (before == 0) GTEST_SKIP() << "this system keeps no account of pages";  // qemu-user
  ASSERT_GE(before, 1024u);
  ReturnUnusedMemory();
  // Constants of code that still runs come back, and the kernel maps pages around them.
  EXPECT_LT(ResidentKib(), before / 2);
  EXPECT_EQ(SumOfConstants(), sum);
}

TEST(LogTest, ALineNamesLevelMessageAndFields) {
  EXPECT_EQ(FormatLogLine(LogLevel::kInfo, "recovered", {{"model", "door"}, {"step", "7"}}),
            "info: recovered model=door step=7");
}

TEST(LogTest, ValuesThatCouldBreakTheLineAreQuoted) {
  EXPECT_EQ(FormatLogLine(LogLevel::kError, "x", {{"a", "b c"}, {"d", ""}, {"e", "q\"\n\x01"}}),
            "error: x a=\"b c\" d=\"\" e=\"q\\\"\\n?\"");
}

}  // namespace
}  // namespace tally::platform
