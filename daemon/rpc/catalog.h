// The models as the services see them: found by name, admitted by state.

#ifndef TALLY_DAEMON_RPC_CATALOG_H_
#define TALLY_DAEMON_RPC_CATALOG_H_

#include <atomic>
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

  // Why a model whose configured spec differs from the stored one is not served; see Refuse.
  std::optional<std::string> RefusalOf(const std::string& model) const;
  // From now on the model can only be looked at, exported and deleted.
  void Refuse(const std::string& model, std::string why);
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
  std::map<std::string, std::string> refused_ TALLY_GUARDED_BY(mutex_);
};

absl::Status DrainingError();

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_CATALOG_H_
