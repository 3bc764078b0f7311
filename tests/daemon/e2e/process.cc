#include "tests/daemon/e2e/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "core/text/value.h"

namespace tally::e2e {
namespace {

// How long a client waits for a daemon that was just (re)started, under sanitizers on a busy
// machine too.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(120);

int OpenForWriting(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
}

const text::Value* Find(const text::Map& map, const std::string& key) {
  for (const auto& [name, value] : map) {
    if (name == key) return &value;
  }
  return nullptr;
}

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tally-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) abort();
  path_ = pattern;
}

TempDir::~TempDir() { std::filesystem::remove_all(path_); }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

pid_t Spawn(const std::vector<std::string>& arguments, const std::string& out_path,
            const std::string& err_path) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int out = OpenForWriting(out_path);
  const int err = OpenForWriting(err_path);
  const pid_t process = fork();
  if (process == 0) {  // only calls that are safe after a fork of a program with threads
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out);
  close(err);
  return process;
}

int WaitFor(pid_t process) {
  int status = 0;
  waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Daemon::Daemon(const std::string& settings) {
  WriteFile(File("tallyd.yaml"), "version: 1\nstate_dir: " + state_dir() + "\nlisten:\n  unix: " +
                                     dir_.File("socket") + "\ndrain:\n  delay: 0\n" + settings);
  ClientOptions options;
  options.patience = kPatience;
  options.backoff_first = std::chrono::milliseconds(10);
  options.backoff_max = std::chrono::milliseconds(200);
  client_ = *Client::Connect(address(), options);
}

Daemon::~Daemon() {
  if (pid_ != 0) Kill();
}

// The parent-death signal is that of the starting thread: call from one that stays.
void Daemon::Launch() {
  pid_ = Spawn({TALLYD_PATH, "--config", File("tallyd.yaml")}, File("log"), File("log"));
}

void Daemon::Start() {
  Launch();
  const auto health = client_->Health();
  EXPECT_TRUE(health.ok()) << health.status() << "\n" << log();
}

void Daemon::Kill() {
  kill(pid_, SIGKILL);
  WaitForExit();
}

int Daemon::Terminate() {
  kill(pid_, SIGTERM);
  return WaitForExit();
}

int Daemon::WaitForExit() { return WaitFor(std::exchange(pid_, 0)); }

std::string TallyResult::Json(const std::string& key) const {
  const size_t end = out.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t before = out.rfind('\n', end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  const auto value = text::ParseJson(out.substr(begin, end + 1 - begin), "output");
  if (!value.ok()) return "";
  const auto* map = std::get_if<text::Map>(&value->data);
  const text::Value* member = map == nullptr ? nullptr : Find(*map, key);
  if (member == nullptr) return "";
  if (const auto* text = std::get_if<std::string>(&member->data)) return *text;
  if (const auto* integer = std::get_if<text::Integer>(&member->data)) {
    return (integer->negative ? "-" : "") + std::to_string(integer->magnitude);
  }
  if (const auto* flag = std::get_if<bool>(&member->data)) return *flag ? "true" : "false";
  return "";
}

TallyResult RunTally(std::vector<std::string> arguments) {
  const TempDir dir;
  arguments.insert(arguments.begin(), TALLY_PATH);
  const pid_t process = Spawn(arguments, dir.File("out"), dir.File("err"));
  TallyResult result;
  result.exit_code = WaitFor(process);
  result.out = ReadFile(dir.File("out"));
  result.err = ReadFile(dir.File("err"));
  return result;
}

TallyResult RunTally(const Daemon& daemon, std::vector<std::string> arguments) {
  for (const std::string& more :
       {std::string("--server"), daemon.address(), std::string("--json")}) {
    arguments.push_back(more);
  }
  return RunTally(std::move(arguments));
}

}  // namespace tally::e2e
