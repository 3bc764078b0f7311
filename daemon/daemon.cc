#include "daemon/daemon.h"

#include <sysexits.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>

#include "core/kernels/level.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/config/address.h"
#include "daemon/config/environment.h"
#include "daemon/configured_models.h"
#include "daemon/platform/log.h"
#include "daemon/platform/memory.h"
#include "daemon/platform/notify.h"
#include "daemon/storage/clock.h"
#include "daemon/storage/file_system.h"

namespace tally {
namespace {

using platform::Log;
using platform::LogLevel;

// A start that waits for recovery asks systemd for so much longer, once a second.
constexpr uint64_t kRecoveryExtensionMs = 30000;

void LogModelEvent(const hosting::HostEvent& event) {
  using Kind = hosting::HostEvent::Kind;
  constexpr std::string_view kNames[] = {"recovered", "checkpoint", "rolled back", "model warning",
                                         "model failed"};
  const LogLevel level = event.kind == Kind::kFailed    ? LogLevel::kError
                         : event.kind == Kind::kWarning ? LogLevel::kWarning
                                                        : LogLevel::kInfo;
  Log(level, kNames[static_cast<size_t>(event.kind)],
      {{"model", event.model}, {"step", text::StrCat(event.step)}, {"detail", event.detail}});
}

hosting::RegistryOptions RegistryOptionsFrom(const config::Config& config, WorkerPool* workers) {
  hosting::RegistryOptions options;
  options.state_dir = config.state_dir;
  options.models_max = config.limits.models;
  options.parameters_max = config.limits.parameters;
  options.memory_bytes_max = config.limits.memory_bytes;
  options.host.journal.journal_bytes_max = config.limits.journal_bytes;
  options.host.commit_interval_ms = config.commit_interval_ms;
  options.host.workers = workers;
  options.host.queue_bytes_max = config.training.queue_bytes;
  options.host.digest_interval_steps = config.training.digest_interval_steps;
  options.host.publish_interval_steps = config.training.publish_interval_steps;
  options.host.publish_interval_ms = config.training.publish_interval_ms;
  options.host.checkpoint_replay_ms = config.checkpoint.replay_ms;
  options.host.checkpoint_interval_ms = config.checkpoint.interval_ms;
  options.host.keep_generations = config.checkpoint.keep;
  options.host.retain_all = config.checkpoint.retain == config::Retain::kAll;
  options.host.sources_max = config.limits.sources;
  options.on_event = LogModelEvent;
  return options;
}

[[noreturn]] void DieOfDisk(const absl::Status& status) {
  Log(LogLevel::kError, "the disk failed; a restart recovers from what is really on it",
      {{"error", std::string(status.message())}});
  std::_Exit(EX_IOERR);
}

}  // namespace

Daemon::Daemon(config::Flags flags, config::Config config)
    : flags_(std::move(flags)), config_(std::move(config)) {}

absl::Status Daemon::OpenModels() {
  if (config_.training.threads > 1) {
    workers_ = std::make_unique<WorkerPool>(config_.training.threads);
  }
  TALLY_ASSIGN_OR_RETURN(registry_, hosting::Registry::Open(
                                        storage::PosixFileSystem(), storage::SystemClock(),
                                        RegistryOptionsFrom(config_, workers_.get()),
                                        [this](const std::string& model, bool serving) {
                                          health_.SetModel(model, serving);
                                        },
                                        DieOfDisk));
  catalog_ = std::make_unique<rpc::Catalog>(*registry_);
  ApplyLiveSettings();
  CreateMissingModels(config_.models, *registry_);
  ExpectConfiguredSpecs(config_.models, *catalog_);
  return absl::OkStatus();
}

absl::Status Daemon::StartServer() {
  rpc::ServerOptions options;
  options.version = config::Version();
  options.reflection = config_.reflection;
  options.buffered_by_default = config_.durability == config::Durability::kBuffered;
  TALLY_ASSIGN_OR_RETURN(
      server_, rpc::Server::Start(*catalog_, limits_, health_, storage::SystemClock(), options));
  return absl::OkStatus();
}

absl::Status Daemon::OpenListeners() {
  const config::Listen& listen = config_.listen;
  TALLY_ASSIGN_OR_RETURN(listeners_, platform::Listener::FromSystemd(listen.insecure));
  // A passed socket stands for the configured one of its kind.
  const auto passed = [this](bool is_unix) {
    return std::any_of(listeners_.begin(), listeners_.end(),
                       [&](const platform::Listener& each) { return each.is_unix() == is_unix; });
  };
  const bool unix_passed = passed(true);
  const bool tcp_passed = passed(false);
  if (!listen.unix_path.empty() && !unix_passed) {
    TALLY_ASSIGN_OR_RETURN(platform::Listener listener,
                           platform::Listener::Unix(listen.unix_path, UnixMode(listen)));
    listeners_.push_back(std::move(listener));
  }
  if (!listen.tcp.empty() && !tcp_passed) {
    TALLY_ASSIGN_OR_RETURN(const auto address, config::ParseTcpAddress(listen.tcp));
    TALLY_ASSIGN_OR_RETURN(platform::Listener listener,
                           platform::Listener::Tcp(address.host, address.port));
    listeners_.push_back(std::move(listener));
  }
  return absl::OkStatus();
}

void Daemon::Run() {
  MainLoop::Handlers handlers;
  handlers.connection = [this](int fd, int listener) { server_->HandleConnection(fd, listener); };
  handlers.stopping = [this] { AnnounceStop(); };
  handlers.reload = [this] { Reload(); };
  handlers.made_progress = [this] { return registry_->MadeProgress(); };
  loop_ = std::make_unique<MainLoop>(std::move(handlers), config_.limits.connections,
                                     config_.drain.delay_ms);
  AcceptConnections();
  recovery_ = std::thread([this] { FinishRecovery(); });
  loop_->Run();
}

void Daemon::AcceptConnections() {
  for (const platform::Listener& listener : listeners_) {
    loop_->Accept(listener);
    Log(LogLevel::kInfo, "listening", {{"address", listener.address()}});
  }
}

void Daemon::FinishRecovery() {
  registry_->WaitRecovered([](std::string_view progress) {
    platform::NotifyExtendTimeout(kRecoveryExtensionMs);
    platform::NotifyStatus(progress);
  });
  RefuseDifferingModels(config_.models, *catalog_, health_);
  loop_->Post([this] { BecomeReady(); });
}

void Daemon::BecomeReady() {
  if (catalog_->stopping()) return;
  recovered_ = true;
  health_.SetServing(true);
  loop_->StartWatchdog(platform::WatchdogIntervalMs());
  platform::NotifyReady("serving");
  // Starting is much code that runs once.
  platform::ReturnUnusedMemory();
  Log(LogLevel::kInfo, "ready",
      {{"models", text::StrCat(registry_->List().size())},
       {"version", std::string(config::Version())},
       {"kernels", std::string(kernels::LevelName(kernels::ActiveLevel()))}});
}

void Daemon::AnnounceStop() {
  Log(LogLevel::kInfo, "stopping");
  health_.Drain();
  catalog_->AnnounceStop();
  platform::NotifyStopping("draining");
  platform::NotifyExtendTimeout(config_.drain.delay_ms + config_.drain.timeout_ms);
}

// A bad file or an unchangeable key never stops a running daemon.
void Daemon::Reload() {
  // Only a daemon that was ready may say that it is so again.
  const bool tell = recovered_ && !catalog_->stopping();
  if (tell) platform::NotifyReloading();
  const auto wanted = config::LoadEffectiveConfig(flags_, config::ProcessEnvironment());
  if (!wanted.ok()) {
    Log(LogLevel::kError, "cannot reload", {{"error", std::string(wanted.status().message())}});
  } else {
    const config::ConfigChanges changes = config::CompareConfigs(config_, wanted->config);
    for (const std::string& key : changes.need_restart) {
      Log(LogLevel::kWarning, "changed key needs restart", {{"key", key}});
    }
    for (const std::string& key : changes.live) Log(LogLevel::kInfo, "reloaded", {{"key", key}});
    config_.log_level = wanted->config.log_level;
    const config::Limits before = std::exchange(config_.limits, wanted->config.limits);
    config_.limits.journal_bytes = before.journal_bytes;
    config_.limits.memory_bytes = before.memory_bytes;
    ApplyLiveSettings();
    loop_->SetConnectionsMax(config_.limits.connections);
  }
  if (tell) platform::NotifyReady("serving");
}

void Daemon::ApplyLiveSettings() {
  const config::Limits& limits = config_.limits;
  platform::SetLogLevel(static_cast<LogLevel>(config_.log_level));
  limits_.message_bytes = limits.message_bytes;
  limits_.rows = limits.rows;
  limits_.window_bytes = limits.window_bytes;
  limits_.streams = limits.streams;
  limits_.parameters = limits.parameters;
  registry_->UpdateLimits(limits.models, limits.parameters, limits.sources);
}

absl::Status Daemon::Drain() {
  const uint64_t timeout_ms = config_.drain.timeout_ms;
  const int64_t deadline_ns =
      storage::SystemClock().MonotonicNs() + static_cast<int64_t>(timeout_ms) * 1'000'000;
  server_->BeginDrain();
  server_->Shutdown(timeout_ms / 2);
  // Models that are being replayed are left as they are on disk, so their recovery is over too.
  const absl::Status drained = registry_->DrainAll(deadline_ns);
  recovery_.join();
  return drained;
}

}  // namespace tally
