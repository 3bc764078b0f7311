#include "daemon/config/config.h"

#include "core/parallel/worker_pool.h"

namespace tally::config {
namespace {

using Range = ConfigVisitor::Range;

constexpr uint64_t kKiB = uint64_t{1} << 10;
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kMinuteMs = 60000;
constexpr uint64_t kDayMs = 24 * 60 * kMinuteMs;
constexpr uint64_t kStepsMax = uint64_t{1} << 40;

template <typename E>
void Choice(ConfigVisitor& visitor, std::string_view key,
            const std::vector<std::string_view>& names, E& value, Reload reload) {
  auto index = static_cast<uint8_t>(value);
  visitor.Choice(key, names, index, reload);
  value = static_cast<E>(index);
}

void Count32(ConfigVisitor& visitor, std::string_view key, Range range, uint32_t& value,
             Reload reload) {
  uint64_t wide = value;
  visitor.Count(key, range, wide, reload);
  value = static_cast<uint32_t>(wide);  // the range ends below 2^32
}

void VisitListen(ConfigVisitor& visitor, Listen& listen) {
  visitor.Text("unix", listen.unix_path, Reload::kNeedsRestart);
  visitor.Text("unix_mode", listen.unix_mode, Reload::kNeedsRestart);
  visitor.Text("tcp", listen.tcp, Reload::kNeedsRestart);
  visitor.Bool("insecure", listen.insecure, Reload::kNeedsRestart);
}

void VisitLimits(ConfigVisitor& visitor, Limits& limits) {
  // Above 7 MiB gRPC's own limit of 8 MiB could strike first, with its own code.
  visitor.Size("message", {64 * kKiB, 7 * kMiB}, limits.message_bytes, Reload::kLive);
  Count32(visitor, "rows", {1, 65536}, limits.rows, Reload::kLive);
  visitor.Size("window", {16 * kKiB, 64 * kMiB}, limits.window_bytes, Reload::kLive);
  Count32(visitor, "streams", {1, 1024}, limits.streams, Reload::kLive);
  Count32(visitor, "connections", {1, 4096}, limits.connections, Reload::kLive);
  Count32(visitor, "models", {1, 1024}, limits.models, Reload::kLive);
  Count32(visitor, "sources", {1, 65536}, limits.sources, Reload::kLive);
  visitor.Count("parameters", {1, uint64_t{1} << 32}, limits.parameters, Reload::kLive);
  visitor.Size("journal", {16 * kMiB, 1024 * kGiB}, limits.journal_bytes, Reload::kNeedsRestart);
  visitor.Size("memory", {1 * kMiB, 1024 * kGiB}, limits.memory_bytes, Reload::kNeedsRestart);
}

void VisitTraining(ConfigVisitor& visitor, Training& training) {
  visitor.Count("digest_interval_steps", {1, kStepsMax}, training.digest_interval_steps,
                Reload::kNeedsRestart);
  visitor.Count("publish_interval_steps", {1, kStepsMax}, training.publish_interval_steps,
                Reload::kNeedsRestart);
  visitor.Duration("publish_interval", {1, 60 * kMinuteMs}, training.publish_interval_ms,
                   Reload::kNeedsRestart);
  // A packet that is larger is taken when half of the queue is free.
  visitor.Size("queue", {256 * kKiB, 4 * kGiB}, training.queue_bytes, Reload::kNeedsRestart);
  Count32(visitor, "threads", {1, WorkerPool::kThreadsMax}, training.threads,
          Reload::kNeedsRestart);
}

void VisitCheckpoint(ConfigVisitor& visitor, Checkpoint& checkpoint) {
  visitor.Duration("replay", {100, kDayMs}, checkpoint.replay_ms, Reload::kNeedsRestart);
  visitor.Duration("interval", {0, kDayMs}, checkpoint.interval_ms, Reload::kNeedsRestart);
  Count32(visitor, "keep", {1, 1000}, checkpoint.keep, Reload::kNeedsRestart);
  Choice(visitor, "retain", {"needed", "all"}, checkpoint.retain, Reload::kNeedsRestart);
}

}  // namespace

void VisitConfig(ConfigVisitor& visitor, Config& config) {
  visitor.Text("state_dir", config.state_dir, Reload::kNeedsRestart);
  visitor.Section("listen", [&] { VisitListen(visitor, config.listen); });
  visitor.Bool("reflection", config.reflection, Reload::kNeedsRestart);
  visitor.Section("log", [&] {
    Choice(visitor, "level", {"error", "warning", "info", "debug"}, config.log_level,
           Reload::kLive);
  });
  Choice(visitor, "durability", {"durable", "buffered"}, config.durability, Reload::kNeedsRestart);
  visitor.Duration("commit_interval", {0, kMinuteMs}, config.commit_interval_ms,
                   Reload::kNeedsRestart);
  visitor.Section("limits", [&] { VisitLimits(visitor, config.limits); });
  visitor.Section("training", [&] { VisitTraining(visitor, config.training); });
  visitor.Section("checkpoint", [&] { VisitCheckpoint(visitor, config.checkpoint); });
  visitor.Section("drain", [&] {
    visitor.Duration("delay", {0, 10 * kMinuteMs}, config.drain.delay_ms, Reload::kNeedsRestart);
    visitor.Duration("timeout", {1000, 60 * kMinuteMs}, config.drain.timeout_ms,
                     Reload::kNeedsRestart);
  });
}

uint32_t UnixMode(const Listen& listen) {
  uint32_t mode = 0;
  for (const char digit : listen.unix_mode) mode = mode * 8 + static_cast<uint32_t>(digit - '0');
  return mode;
}

}  // namespace tally::config
