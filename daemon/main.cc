// tallyd: trains and serves integer neural networks.

#include <signal.h>
#include <sysexits.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "core/kernels/level.h"
#include "daemon/config/environment.h"
#include "daemon/config/flags.h"
#include "daemon/daemon.h"
#include "daemon/platform/log.h"
#include "daemon/platform/memory.h"

namespace tally {
namespace {

using platform::Log;
using platform::LogLevel;

int CannotStart(const absl::Status& status, int exit_code) {
  Log(LogLevel::kError, "cannot start", {{"error", std::string(status.message())}});
  return exit_code;
}

int Serve(config::Flags flags, config::Config config) {
  Daemon daemon(std::move(flags), std::move(config));
  if (absl::Status status = daemon.OpenModels(); !status.ok()) {
    // Another process has the lock, or the directory is unusable.
    return CannotStart(status, absl::IsUnavailable(status) ? EX_TEMPFAIL : EX_CANTCREAT);
  }
  if (absl::Status status = daemon.StartServer(); !status.ok()) {
    return CannotStart(status, EX_SOFTWARE);
  }
  if (absl::Status status = daemon.OpenListeners(); !status.ok()) {
    return CannotStart(status, EX_UNAVAILABLE);
  }
  daemon.Run();
  const absl::Status drained = daemon.Drain();
  if (drained.ok()) {
    Log(LogLevel::kInfo, "stopped");
    return EX_OK;
  }
  // The journal holds what the checkpoint lacks: the next start takes longer, nothing is lost.
  Log(LogLevel::kWarning, "stopped without a final checkpoint",
      {{"error", std::string(drained.message())}});
  return absl::IsDeadlineExceeded(drained) ? EX_OK : EX_IOERR;
}

int Complain(const absl::Status& status, int exit_code) {
  std::fprintf(stderr, "tallyd: %s\n", std::string(status.message()).c_str());
  return exit_code;
}

int Main(const std::vector<std::string>& arguments) {
  auto flags = config::ParseFlags(arguments);
  if (!flags.ok()) return Complain(flags.status(), EX_USAGE);
  if (flags->action == config::Action::kHelp) {
    std::fputs(config::HelpText().c_str(), stdout);
    return EX_OK;
  }
  if (flags->action == config::Action::kVersion) {
    std::printf("tallyd %s\n", std::string(config::Version()).c_str());
    return EX_OK;
  }
  auto loaded = config::LoadEffectiveConfig(*flags, config::ProcessEnvironment());
  if (!loaded.ok()) return Complain(loaded.status(), EX_CONFIG);
  if (flags->action == config::Action::kCheckConfig) {
    std::puts("OK");
    return EX_OK;
  }
  if (flags->action == config::Action::kPrintConfig) {
    std::fputs(config::PrintConfig(*loaded).c_str(), stdout);
    return EX_OK;
  }
  if (const auto problem = kernels::LevelVariableProblem()) {
    return Complain(absl::InvalidArgumentError(*problem), EX_CONFIG);
  }
  return Serve(*std::move(flags), std::move(loaded->config));
}

}  // namespace
}  // namespace tally

int main(int argc, char** argv) {
  tally::platform::LimitFreeMemory();
  // A peer or a log reader that goes away is an error code, not a death sentence.
  signal(SIGPIPE, SIG_IGN);
  return tally::Main(std::vector<std::string>(argv + 1, argv + argc));
}
