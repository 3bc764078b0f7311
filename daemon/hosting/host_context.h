// What the parts of one host share.

#ifndef TALLY_DAEMON_HOSTING_HOST_CONTEXT_H_
#define TALLY_DAEMON_HOSTING_HOST_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "core/parallel/worker_pool.h"
#include "daemon/hosting/admission.h"
#include "daemon/hosting/host_state.h"
#include "daemon/hosting/listener_list.h"
#include "daemon/hosting/model_host.h"
#include "daemon/hosting/trainer_inbox.h"
#include "daemon/storage/clock.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/model_directory.h"

namespace tally::hosting {

struct HostContext {
  HostContext(storage::FileSystem& file_system, storage::Clock& host_clock,
              const std::string& state_dir, const std::string& model, const HostOptions& settings,
              HostHooks hooks)
      : fs(file_system),
        clock(host_clock),
        name(model),
        journal_path(storage::JournalPath(state_dir, model)),
        checkpoints_path(storage::CheckpointsPath(state_dir, model)),
        options(settings),
        sources_max(settings.sources_max),
        state(host_clock, model, std::move(hooks)),
        inbox(host_clock, settings.queue_bytes_max) {}

  // Once it has been read.
  void SetSpec(const ModelSpec& spec) {
    state.SetSpec(std::make_shared<const ModelSpec>(spec),
                  ModelBytes(spec, ThreadsOf(options.workers)));
  }

  storage::FileSystem& fs;
  storage::Clock& clock;
  const std::string name;
  const std::string journal_path;
  const std::string checkpoints_path;
  const HostOptions options;
  std::atomic<uint32_t> sources_max;  // may change while running
  HostState state;
  ListenerList listeners;
  TrainerInbox inbox;
  std::atomic<uint64_t> heartbeat = 0;
  std::atomic<bool> saving =
      false;  // the trainer waits for the disk, which may be slow but is not stuck
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_HOST_CONTEXT_H_
