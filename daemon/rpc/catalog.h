// The models as the services see them: found by name, admitted by state.

#ifndef TALLY_DAEMON_RPC_CATALOG_H_
#define TALLY_DAEMON_RPC_CATALOG_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/registry.h"
#include "daemon/platform/mutex.h"

namespace tally::rpc {

// Everything a client can ask of one model.
enum class Call : uint8_t {
  kTrain,
  kTrainStream,
  kGetSource,
  kFlush,
  kEvaluate,
  kGet,
  kDelete,
  kCheckpoint,
  kListCheckpoints,
  kRollback,
  kExport,
  kDigest,
  kModelReady,
  kModelMetadata,
  kModelInfer,
};

// The table "model state x RPC" of proto/README.md, which a test compares with this function.
// `has_snapshot`: there is something to predict with.
absl::Status AdmitByState(const hosting::HostStatus& status, bool has_snapshot,
                          const std::string& model, Call call);

// Thread-safe.
class Catalog {
 public:
  explicit Catalog(hosting::Registry& registry) : registry_(registry) {}

  hosting::Registry& registry() const { return registry_; }

  // The model, if it exists and its state admits `call`. `field` is the request's field that names
  // it.
  absl::StatusOr<std::shared_ptr<hosting::ModelHost>> Find(std::string_view field,
                                                           const std::string& model,
                                                           Call call) const;

  // Says why the model cannot be served if its stored spec is not the expected one.
  using Difference = std::function<std::optional<std::string>(const ModelSpec& stored)>;
  // `difference` is asked once, as soon as the stored spec is known: before any call but those that
  // look at the model. What it says refuses the model.
  void Expect(const std::string& model, Difference difference);
  // Why the model can only be looked at, exported and deleted; nothing if it is served.
  std::optional<std::string> RefusalOf(const hosting::ModelHost& host) const;
  void Forget(const std::string& model);  // after Delete

  // The end is announced: everything is served still, but the server is not ready any more.
  void AnnounceStop() { stopping_.store(true); }
  bool stopping() const { return stopping_.load(); }
  // While draining every new call is UNAVAILABLE.
  void BeginDrain() {
    stopping_.store(true);
    draining_.store(true);
  }
  bool draining() const { return draining_.load(); }

 private:
  hosting::Registry& registry_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> draining_{false};
  mutable Mutex mutex_;
  mutable std::map<std::string, Difference> expected_ TALLY_GUARDED_BY(mutex_);
  mutable std::map<std::string, std::string> refused_ TALLY_GUARDED_BY(mutex_);
};

absl::Status DrainingError();

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_CATALOG_H_
