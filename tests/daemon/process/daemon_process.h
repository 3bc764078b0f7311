// A real tallyd in a process of its own, in a temporary folder.

#ifndef TALLY_TESTS_DAEMON_PROCESS_DAEMON_PROCESS_H_
#define TALLY_TESTS_DAEMON_PROCESS_DAEMON_PROCESS_H_

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace tally {

// Removed with everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class DaemonProcess {
 public:
  struct Options {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;  // "NAME=value", added
    std::function<void()> in_child;        // after fork, before exec
    // What to run: a program that starts tallyd, itself looked for in PATH, or tallyd.
    std::vector<std::string> launcher;
  };
  // Standard output and error go to `log`.
  DaemonProcess(const Options& options, const std::string& log);
  ~DaemonProcess();  // SIGKILL if it still runs
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  pid_t pid() const { return pid_; }
  std::string Log() const;
  // Waits until the log holds `text`; false if the process ends or 20 s pass before.
  bool WaitForLog(const std::string& text) const;
  // The value of `address=` in the n-th "listening" line.
  std::string Address(size_t n) const;
  void Signal(int signal) const;
  // The exit code; 128 + the signal that killed it; -1 if it does not end within 20 s.
  int Wait();

 private:
  bool Running() const;

  pid_t pid_ = -1;
  const std::string log_;
  int exit_code_ = -1;
};

void WriteFile(const std::string& path, const std::string& text);

}  // namespace tally

#endif  // TALLY_TESTS_DAEMON_PROCESS_DAEMON_PROCESS_H_
