// tallyd: trains and serves integer neural networks.

#include <signal.h>
#include <sysexits.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/text/strings.h"
#include "daemon/config/address.h"
#include "daemon/config/config_reader.h"
#include "daemon/config/flags.h"
#include "daemon/configured_models.h"
#include "daemon/hosting/registry.h"
#include "daemon/main_loop.h"
#include "daemon/platform/listener.h"
#include "daemon/platform/log.h"
#include "daemon/platform/notify.h"
#include "daemon/rpc/server.h"
#include "daemon/storage/clock.h"
#include "daemon/storage/file_system.h"

namespace tally {
namespace {

using platform::Log;
using platform::LogLevel;

// A start that waits for recovery asks systemd for so much longer, once a second.
constexpr uint64_t kRecoveryExtensionMs = 30000;

hosting::RegistryOptions RegistryOptionsFrom(const config::Config& config) {
  hosting::RegistryOptions options;
  options.state_dir = config.state_dir;
  options.models_max = config.limits.models;
  options.parameters_max = config.limits.parameters;
  options.memory_bytes_max = config.limits.memory_bytes;
  options.host.journal.journal_bytes_max = config.limits.journal_bytes;
  options.host.commit_interval_ms = config.commit_interval_ms;
  options.host.queue_bytes_max = config.training.queue_bytes;
  options.host.digest_interval_steps = config.training.digest_interval_steps;
  options.host.publish_interval_steps = config.training.publish_interval_steps;
  options.host.publish_interval_ms = config.training.publish_interval_ms;
  options.host.checkpoint_replay_ms = config.checkpoint.replay_ms;
  options.host.checkpoint_interval_ms = config.checkpoint.interval_ms;
  options.host.keep_generations = config.checkpoint.keep;
  options.host.retain_all = config.checkpoint.retain == config::Retain::kAll;
  options.host.sources_max = config.limits.sources;
  return options;
}

// Everything SIGHUP may change, and the start too.
void ApplyLive(const config::Config& config, hosting::Registry& registry, rpc::LiveLimits& limits) {
  platform::SetLogLevel(static_cast<LogLevel>(config.log_level));
  limits.message_bytes = config.limits.message_bytes;
  limits.rows = config.limits.rows;
  limits.window_bytes = config.limits.window_bytes;
  limits.streams = config.limits.streams;
  limits.parameters = config.limits.parameters;
  registry.UpdateLimits(config.limits.models, config.limits.parameters, config.limits.sources);
}

absl::StatusOr<std::vector<platform::Listener>> OpenListeners(const config::Listen& listen) {
  auto listeners = platform::Listener::FromSystemd(listen.insecure);
  if (!listeners.ok() || !listeners->empty()) return listeners;
  if (!listen.unix_path.empty()) {
    auto listener = platform::Listener::Unix(listen.unix_path, config::UnixMode(listen));
    if (!listener.ok()) return listener.status();
    listeners->push_back(*std::move(listener));
  }
  if (!listen.tcp.empty()) {
    const auto address = config::ParseTcpAddress(listen.tcp);
    if (!address.ok()) return address.status();
    auto listener = platform::Listener::Tcp(address->host, address->port);
    if (!listener.ok()) return listener.status();
    listeners->push_back(*std::move(listener));
  }
  return listeners;
}

// A bad file or an unchangeable key never stops a running daemon.
void Reload(const config::Flags& flags, config::Config& running, hosting::Registry& registry,
            rpc::LiveLimits& limits, MainLoop& loop) {
  platform::NotifyReloading();
  const auto wanted = config::LoadEffectiveConfig(flags);
  if (!wanted.ok()) {
    Log(LogLevel::kError, "cannot reload", {{"error", std::string(wanted.status().message())}});
  } else {
    const config::ConfigChanges changes = config::CompareConfigs(running, wanted->config);
    for (const std::string& key : changes.need_restart) {
      Log(LogLevel::kWarning, "changed key needs restart", {{"key", key}});
    }
    for (const std::string& key : changes.live) Log(LogLevel::kInfo, "reloaded", {{"key", key}});
    running.log_level = wanted->config.log_level;
    const config::Limits before = std::exchange(running.limits, wanted->config.limits);
    running.limits.journal_bytes = before.journal_bytes;
    running.limits.memory_bytes = before.memory_bytes;
    ApplyLive(running, registry, limits);
    loop.SetConnectionsMax(running.limits.connections);
  }
  platform::NotifyReady("serving");
}

[[noreturn]] void DieOfDisk(const absl::Status& status) {
  Log(LogLevel::kError, "the disk failed; a restart recovers from what is really on it",
      {{"error", std::string(status.message())}});
  std::_Exit(EX_IOERR);
}

int ReportStartFailure(const absl::Status& status, int exit_code) {
  Log(LogLevel::kError, "cannot start", {{"error", std::string(status.message())}});
  return exit_code;
}

int Drain(rpc::Server& server, hosting::Registry& registry, uint64_t timeout_ms) {
  const int64_t deadline_ns =
      storage::SystemClock().MonotonicNs() + static_cast<int64_t>(timeout_ms) * 1'000'000;
  server.BeginDrain();
  server.Shutdown(timeout_ms / 2);
  const absl::Status drained = registry.DrainAll(deadline_ns);
  if (drained.ok()) {
    Log(LogLevel::kInfo, "stopped");
    return EX_OK;
  }
  // The journal holds what the checkpoint lacks; the next start takes longer, nothing is lost.
  Log(LogLevel::kWarning, "stopped without a final checkpoint",
      {{"error", std::string(drained.message())}});
  return absl::IsDeadlineExceeded(drained) ? EX_OK : EX_IOERR;
}

int Serve(const config::Flags& flags, config::Config config) {
  rpc::Health health;
  auto registry = hosting::Registry::Open(
      storage::PosixFileSystem(), storage::SystemClock(), RegistryOptionsFrom(config),
      [&health](const std::string& model, bool serving) { health.SetModel(model, serving); },
      DieOfDisk);
  if (!registry.ok()) {
    return ReportStartFailure(registry.status(),
                              absl::IsUnavailable(registry.status()) ? EX_TEMPFAIL : EX_CANTCREAT);
  }
  rpc::LiveLimits limits;
  ApplyLive(config, **registry, limits);
  CreateMissingModels(config.models, **registry);

  rpc::Catalog catalog(**registry);
  auto server = rpc::Server::Start(catalog, limits, health, storage::SystemClock(),
                                   {std::string(config::Version()), config.reflection,
                                    config.durability == config::Durability::kBuffered});
  if (!server.ok()) return ReportStartFailure(server.status(), EX_SOFTWARE);
  auto listeners = OpenListeners(config.listen);
  if (!listeners.ok()) return ReportStartFailure(listeners.status(), EX_UNAVAILABLE);

  bool recovered = false;  // touched on the loop's thread only
  MainLoop* loop_pointer = nullptr;
  MainLoop loop(
      {.connection = [&](int fd, int listener) { (*server)->HandleConnection(fd, listener); },
       .stopping =
           [&] {
             Log(LogLevel::kInfo, "stopping");
             health.Drain();
             platform::NotifyStopping("draining");
             platform::NotifyExtendTimeout(config.drain.delay_ms + config.drain.timeout_ms);
             // What is being replayed is on disk as it was; there is nothing to save.
             if (!recovered) std::_Exit(EX_OK);
           },
       .reload = [&] { Reload(flags, config, **registry, limits, *loop_pointer); },
       .made_progress = [&] { return (*registry)->MadeProgress(); }},
      config.limits.connections, config.drain.delay_ms);
  loop_pointer = &loop;
  for (const platform::Listener& listener : *listeners) {
    loop.Accept(listener);
    Log(LogLevel::kInfo, "listening", {{"address", listener.address()}});
  }

  std::thread recovery([&] {
    (*registry)->WaitRecovered([](std::string_view progress) {
      platform::NotifyExtendTimeout(kRecoveryExtensionMs);
      platform::NotifyStatus(progress);
    });
    RefuseDifferingModels(config.models, catalog, health);
    loop.Post([&] {
      recovered = true;
      health.SetServing(true);
      loop.StartWatchdog(platform::WatchdogIntervalMs());
      platform::NotifyReady("serving");
      Log(LogLevel::kInfo, "ready",
          {{"models", text::StrCat((*registry)->List().size())},
           {"version", std::string(config::Version())}});
    });
  });
  loop.Run();
  recovery.join();
  return Drain(**server, **registry, config.drain.timeout_ms);
}

int Main(const std::vector<std::string>& arguments) {
  const auto flags = config::ParseFlags(arguments);
  if (!flags.ok()) {
    std::fprintf(stderr, "tallyd: %s\n", std::string(flags.status().message()).c_str());
    return EX_USAGE;
  }
  if (flags->action == config::Action::kHelp) {
    std::fputs(config::HelpText().c_str(), stdout);
    return EX_OK;
  }
  if (flags->action == config::Action::kVersion) {
    std::printf("tallyd %s\n", std::string(config::Version()).c_str());
    return EX_OK;
  }
  auto loaded = config::LoadEffectiveConfig(*flags);
  if (!loaded.ok()) {
    std::fprintf(stderr, "tallyd: %s\n", std::string(loaded.status().message()).c_str());
    return EX_CONFIG;
  }
  switch (flags->action) {
    case config::Action::kCheckConfig:
      std::puts("OK");
      return EX_OK;
    case config::Action::kPrintConfig:
      std::fputs(config::PrintConfig(*loaded).c_str(), stdout);
      return EX_OK;
    default:
      return Serve(*flags, std::move(loaded->config));
  }
}

}  // namespace
}  // namespace tally

int main(int argc, char** argv) {
  // A peer or a log reader that goes away is an error code, not a death sentence.
  signal(SIGPIPE, SIG_IGN);
  return tally::Main(std::vector<std::string>(argv + 1, argv + argc));
}
