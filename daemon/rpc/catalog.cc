#include "daemon/rpc/catalog.h"

#include <utility>

#include "core/text/strings.h"
#include "daemon/rpc/status_details.h"

namespace tally::rpc {
namespace {

using hosting::ModelState;

// What a call needs of its model.
enum class Need : uint8_t {
  kExistence,   // nothing but that it exists
  kGeneration,  // the kept generations
  kSnapshot,    // something to predict with
  kSources,     // the source table
  kIntake,      // that packets are accepted
  kLearner,     // the learner at rest between two mini-batches
};

Need NeedOf(Call call) {
  switch (call) {
    case Call::kGet:
    case Call::kDelete:
    case Call::kModelReady:
    case Call::kModelMetadata:
      return Need::kExistence;
    case Call::kListCheckpoints:
    case Call::kExport:
      return Need::kGeneration;
    case Call::kEvaluate:
    case Call::kModelInfer:
      return Need::kSnapshot;
    case Call::kGetSource:
      return Need::kSources;
    case Call::kTrain:
    case Call::kTrainStream:
      return Need::kIntake;
    case Call::kCheckpoint:
    case Call::kRollback:
    case Call::kDigest:
    // While the trainer is still busy calibrating, only the host knows whether all it needs was accepted.
    case Call::kFlush:
      return Need::kLearner;
  }
  return Need::kLearner;
}

bool AllowedWhenRefused(Call call) {
  return NeedOf(call) == Need::kExistence || NeedOf(call) == Need::kGeneration;
}

bool AdmittedIn(ModelState state, Need need, bool has_snapshot) {
  if (need == Need::kExistence) return true;
  switch (state) {
    case ModelState::kCreating:
    case ModelState::kReplaying:
      return false;
    case ModelState::kCalibrating:
      return need != Need::kSnapshot;
    case ModelState::kReady:
      return need != Need::kSnapshot || has_snapshot;
    case ModelState::kDraining:
      return need == Need::kGeneration || need == Need::kSources ||
             (need == Need::kSnapshot && has_snapshot);
    case ModelState::kFailed:
      return need == Need::kGeneration || (need == Need::kSnapshot && has_snapshot);
  }
  return false;
}

// "model "digits" is REPLAYING: 41200/51000".
std::string Sentence(const std::string& model, const hosting::HostStatus& status) {
  return text::StrCat("model \"", model, "\" is ", hosting::ModelStateName(status.state),
                      status.detail.empty() ? "" : ": ", status.detail);
}

}  // namespace

absl::Status AdmitByState(const hosting::HostStatus& status, bool has_snapshot,
                          const std::string& model, Call call) {
  if (AdmittedIn(status.state, NeedOf(call), has_snapshot)) return absl::OkStatus();
  const std::string sentence = Sentence(model, status);
  switch (status.state) {
    case ModelState::kCalibrating:
      return WithResource(WithReason(absl::FailedPreconditionError(
                                         text::StrCat(sentence, "; send more samples first")),
                                     "MODEL_CALIBRATING"),
                          "model", model);
    case ModelState::kFailed:
      return WithResource(WithReason(absl::Status(status.failure, sentence), "MODEL_FAILED"),
                          "model", model);
    default:
      return WithReason(absl::UnavailableError(text::StrCat(sentence, "; try again")),
                        text::StrCat("MODEL_", hosting::ModelStateName(status.state)));
  }
}

absl::StatusOr<std::shared_ptr<hosting::ModelHost>> Catalog::Find(std::string_view field,
                                                                  const std::string& model,
                                                                  Call call) const {
  if (draining()) return DrainingError();
  if (model.empty()) return FieldError(field, "MISSING_FIELD", "empty; expected a model's name");
  absl::StatusOr<std::shared_ptr<hosting::ModelHost>> host = registry_.Find(model);
  if (!host.ok()) {
    return WithResource(WithReason(host.status(), "MODEL_NOT_FOUND"), "model", model);
  }
  if (const auto why = RefusalOf(model); why && !AllowedWhenRefused(call)) {
    return WithResource(WithReason(absl::FailedPreconditionError(*why), "SPEC_DIFFERS"), "model",
                        model);
  }
  // The way of ModelInfer: a snapshot is all it needs, and is cheaper to ask for than the status.
  if (NeedOf(call) == Need::kExistence) return host;
  const bool has_snapshot = (*host)->snapshot() != nullptr;
  if (NeedOf(call) == Need::kSnapshot && has_snapshot) return host;
  absl::Status admitted = AdmitByState((*host)->status(), has_snapshot, model, call);
  if (!admitted.ok()) return admitted;
  return host;
}

std::optional<std::string> Catalog::RefusalOf(const std::string& model) const {
  const MutexLock lock(mutex_);
  const auto found = refused_.find(model);
  if (found == refused_.end()) return std::nullopt;
  return found->second;
}

void Catalog::Refuse(const std::string& model, std::string why) {
  const MutexLock lock(mutex_);
  refused_[model] = std::move(why);
}

void Catalog::Forget(const std::string& model) {
  const MutexLock lock(mutex_);
  refused_.erase(model);
}

absl::Status DrainingError() {
  return WithReason(absl::UnavailableError("the daemon is shutting down; try again later"),
                    "SERVER_DRAINING");
}

}  // namespace tally::rpc
