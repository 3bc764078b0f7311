// The real programs, run by the tests.

#ifndef TALLY_TESTS_DAEMON_E2E_PROCESS_H_
#define TALLY_TESTS_DAEMON_E2E_PROCESS_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tally/client.h"

namespace tally::e2e {

// A directory of its own, removed at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  std::string File(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string ReadFile(const std::string& path);
void WriteFile(const std::string& path, const std::string& bytes);

// Starts `arguments` (the first is the program) with both outputs in files; it dies with this
// process.
pid_t Spawn(const std::vector<std::string>& arguments, const std::string& out_path,
            const std::string& err_path);
// The exit code, or 128 + the signal.
int WaitFor(pid_t process);

// A tallyd with a state directory and a Unix socket of its own, which live as long as this object;
// the process may be started and ended many times. `settings` is YAML that is added to the
// configuration.
class Daemon {
 public:
  explicit Daemon(const std::string& settings = "");
  ~Daemon();

  void Launch();    // does not wait for it: the client's patience does
  void Start();     // and waits until it answers
  void Kill();      // SIGKILL
  int Terminate();  // SIGTERM; the exit code
  int WaitForExit();
  pid_t pid() const { return pid_; }

  std::string address() const { return "unix:" + dir_.File("socket"); }
  std::string state_dir() const { return dir_.File("state"); }
  std::string File(const std::string& name) const { return dir_.File(name); }
  std::string log() const { return ReadFile(dir_.File("log")); }
  // A client that waits for a daemon that is starting or replaying.
  const Client& client() const { return *client_; }

 private:
  TempDir dir_;
  pid_t pid_ = 0;
  std::unique_ptr<Client> client_;
};

struct TallyResult {
  int exit_code = 0;
  std::string out;
  std::string err;

  // Member of the JSON object in the last line of `out`: a string, or digits of a number; "" if
  // absent.
  std::string Json(const std::string& key) const;
};

// `tally ARGUMENTS --server ... --json`, waited for.
TallyResult RunTally(const Daemon& daemon, std::vector<std::string> arguments);
// `tally ARGUMENTS`.
TallyResult RunTally(std::vector<std::string> arguments);

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_PROCESS_H_
