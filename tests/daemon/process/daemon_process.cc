#include "tests/daemon/process/daemon_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

namespace tally {
namespace {

// Under sanitizers on a busy machine too.
constexpr std::chrono::seconds kPatience(120);

// Asks again and again, for want of an event: a log file and a child tell nobody.
bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tally-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TempFolder::~TempFolder() { std::filesystem::remove_all(path_); }

DaemonProcess::DaemonProcess(const Options& options, const std::string& log) : log_(log) {
  std::vector<std::string> texts = options.launcher;
  texts.push_back(TALLYD_PATH);
  texts.insert(texts.end(), options.arguments.begin(), options.arguments.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  std::vector<std::string> environment = options.environment;
  pid_ = fork();
  if (pid_ != 0) return;
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  for (std::string& variable : environment) putenv(variable.data());
  if (options.in_child) options.in_child();
  execvp(argv[0], argv.data());
  _exit(127);
}

DaemonProcess::~DaemonProcess() {
  if (!Running()) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

std::string DaemonProcess::Log() const {
  std::ostringstream text;
  text << std::ifstream(log_).rdbuf();
  return text.str();
}

bool DaemonProcess::WaitForLog(const std::string& text) const {
  return Eventually([&] { return Log().find(text) != std::string::npos || !Running(); }) &&
         Log().find(text) != std::string::npos;
}

std::string DaemonProcess::Address(size_t n) const {
  const std::string log = Log();
  const std::string key = "listening address=";
  size_t at = log.find(key);
  for (size_t i = 0; i < n && at != std::string::npos; ++i) at = log.find(key, at + 1);
  if (at == std::string::npos) return "";
  at += key.size();
  return log.substr(at, log.find('\n', at) - at);
}

void DaemonProcess::Signal(int signal) const { kill(pid_, signal); }

bool DaemonProcess::Running() const {
  // Does not collect the child, so that Wait still can.
  siginfo_t info = {};
  return pid_ > 0 && exit_code_ == -1 &&
         waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

int DaemonProcess::Wait() {
  if (!Eventually([this] { return !Running(); })) return -1;
  int status = 0;
  if (waitpid(pid_, &status, 0) == pid_) {
    exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return exit_code_;
}

void WriteFile(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace tally
