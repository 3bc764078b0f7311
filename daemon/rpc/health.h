// Who is serving, by the names grpc.health.v1.Health answers to.

#ifndef TALLY_DAEMON_RPC_HEALTH_H_
#define TALLY_DAEMON_RPC_HEALTH_H_

#include <map>
#include <string>

#include "daemon/platform/mutex.h"

namespace grpc {
class HealthCheckServiceInterface;
}

namespace tally::rpc {

// Models report before the server exists and after it has gone, so the states are kept here and
// pushed while a server is attached. Names: "" and each service (all of them follow SetServing),
// and "tally.model/NAME". gRPC's health service cannot forget a name: a deleted model is
// NOT_SERVING. Thread-safe.
class Health {
 public:
  void Attach(grpc::HealthCheckServiceInterface* service);
  void Detach();

  void SetServing(bool serving);
  void SetModel(const std::string& model, bool serving);
  // A refused model is NOT_SERVING whatever it says itself.
  void RefuseModel(const std::string& model);
  // After Delete: the next model of that name speaks for itself.
  void ForgetModel(const std::string& model);
  // Everything is NOT_SERVING from now on.
  void Drain();

 private:
  void Push(const std::string& name, bool serving) TALLY_REQUIRES(mutex_);

  Mutex mutex_;
  grpc::HealthCheckServiceInterface* service_ TALLY_GUARDED_BY(mutex_) = nullptr;
  std::map<std::string, bool> serving_ TALLY_GUARDED_BY(mutex_);
  std::map<std::string, bool> refused_ TALLY_GUARDED_BY(mutex_);
  bool draining_ TALLY_GUARDED_BY(mutex_) = false;
};

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_HEALTH_H_
