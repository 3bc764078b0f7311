#include "daemon/rpc/health.h"

#include <grpcpp/health_check_service_interface.h>

namespace tally::rpc {
namespace {

constexpr const char* kServices[] = {"", "inference.GRPCInferenceService", "tally.v1.Models",
                                     "tally.v1.Training"};

std::string ModelService(const std::string& model) { return "tally.model/" + model; }

}  // namespace

void Health::Attach(grpc::HealthCheckServiceInterface* service) {
  const MutexLock lock(mutex_);
  service_ = service;
  for (const char* name : kServices) serving_.try_emplace(name, false);
  for (const auto& [name, serving] : serving_) Push(name, serving);
}

void Health::Detach() {
  const MutexLock lock(mutex_);
  service_ = nullptr;
}

void Health::SetServing(bool serving) {
  const MutexLock lock(mutex_);
  for (const char* name : kServices) {
    serving_[name] = serving;
    Push(name, serving);
  }
}

void Health::SetModel(const std::string& model, bool serving) {
  const MutexLock lock(mutex_);
  const std::string name = ModelService(model);
  serving_[name] = serving && !refused_.contains(name);
  Push(name, serving_[name]);
}

void Health::RefuseModel(const std::string& model) {
  const MutexLock lock(mutex_);
  const std::string name = ModelService(model);
  refused_[name] = true;
  serving_[name] = false;
  Push(name, false);
}

void Health::ForgetModel(const std::string& model) {
  const MutexLock lock(mutex_);
  refused_.erase(ModelService(model));
}

void Health::Drain() {
  const MutexLock lock(mutex_);
  draining_ = true;
  for (const auto& [name, serving] : serving_) Push(name, serving);
}

void Health::Push(const std::string& name, bool serving) {
  if (service_ != nullptr) service_->SetServingStatus(name, serving && !draining_);
}

}  // namespace tally::rpc
