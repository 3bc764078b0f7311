// All models of a daemon: opened at start, created, imported, deleted and drained.

#ifndef TALLY_DAEMON_HOSTING_REGISTRY_H_
#define TALLY_DAEMON_HOSTING_REGISTRY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/learner/model_spec.h"
#include "daemon/hosting/host_event.h"
#include "daemon/hosting/model_host.h"

namespace tally::hosting {

struct RegistryOptions {
  std::string state_dir;
  uint32_t models_max = 16;
  uint64_t parameters_max = 64u << 20;  // all models together
  uint64_t memory_bytes_max = uint64_t{4}
                              << 30;  // of learners and calibration, all models together
  HostOptions host;
  EventCallback on_event;  // may be empty
};

// Thread-safe. Hosts are shared: a deleted one lives until its last user lets go.
class Registry {
 public:
  // Called when a model appears, disappears or changes between serving and not serving. From any
  // thread, without locks.
  using StateCallback = std::function<void(const std::string& name, bool serving)>;
  // Called once, from any thread, when a sync failed or the disk returned EIO: the daemon exits
  // with 74.
  using FatalCallback = std::function<void(const absl::Status&)>;

  // Locks and opens the state directory and starts the recovery of every model in it. An error
  // means that the directory itself is unusable (the message says why and, if locked, by whom).
  static absl::StatusOr<std::unique_ptr<Registry>> Open(storage::FileSystem& fs,
                                                        storage::Clock& clock,
                                                        const RegistryOptions& options,
                                                        StateCallback on_state,
                                                        FatalCallback on_fatal);
  virtual ~Registry() = default;

  // NOT_FOUND names the model and the nearest existing name.
  virtual absl::StatusOr<std::shared_ptr<ModelHost>> Find(std::string_view name) const = 0;
  virtual std::vector<std::shared_ptr<ModelHost>> List() const = 0;  // sorted by name

  // A fresh model, READY (or CALIBRATING) when it returns. ALREADY_EXISTS, RESOURCE_EXHAUSTED
  // (models, parameters), INVALID_ARGUMENT (spec), FAILED_PRECONDITION (reference profile).
  virtual absl::StatusOr<std::shared_ptr<ModelHost>> Create(const ModelSpec& spec) = 0;
  // From the bytes of a checkpoint file; its annotations are dropped, its state kept. `name` may be
  // empty: the stored one. Damaged bytes: DATA_LOSS; foreign bytes: INVALID_ARGUMENT.
  virtual absl::StatusOr<std::shared_ptr<ModelHost>> Import(std::string_view name,
                                                            std::string_view checkpoint) = 0;
  virtual absl::Status Delete(std::string_view name) = 0;

  // Waits until no model is REPLAYING. `progress` is called about once a second with one line of
  // status, while the recovery that is waited for moves.
  virtual void WaitRecovered(const std::function<void(std::string_view)>& progress) = 0;

  // Drains every host; returns the first error after trying all.
  virtual absl::Status DrainAll(int64_t deadline_ns) = 0;

  // True unless some host has work and has made no progress since the last call (for the watchdog).
  virtual bool MadeProgress() = 0;

  // SIGHUP: limits that may change while running.
  virtual void UpdateLimits(uint32_t models_max, uint64_t parameters_max, uint32_t sources_max) = 0;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_REGISTRY_H_
