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
  if (NeedOf(call) == Need::kExistence) return host;
  // The way of ModelInfer: a snapshot is all it needs, and is cheaper to ask for than the status.
  const bool has_snapshot = (*host)->snapshot() != nullptr;
  absl::Status admitted;
  if (NeedOf(call) != Need::kSnapshot || !has_snapshot) {
    admitted = AdmitByState((*host)->status(), has_snapshot, model, call);
  }
  // Asked after the state was read: a state that admits calls comes after the spec became known.
  if (const auto why = RefusalOf(**host); why && !AllowedWhenRefused(call)) {
    return WithResource(WithReason(absl::FailedPreconditionError(*why), "SPEC_DIFFERS"), "model",
                        model);
  }
  if (!admitted.ok()) return admitted;
  return host;
}

void Catalog::Expect(const std::string& model, Difference difference) {
  const MutexLock lock(mutex_);
  expected_[model] = std::move(difference);
}

std::optional<std::string> Catalog::RefusalOf(const hosting::ModelHost& host) const {
  const std::string& model = host.name();
  const MutexLock lock(mutex_);
  if (const auto expected = expected_.find(model); expected != expected_.end()) {
    if (const auto stored = host.spec(); stored != nullptr) {
      if (auto why = expected->second(*stored)) refused_[model] = *std::move(why);
      expected_.erase(expected);
    }
  }
  const auto refused = refused_.find(model);
  if (refused == refused_.end()) return std::nullopt;
  return refused->second;
}

void Catalog::Forget(const std::string& model) {
  const MutexLock lock(mutex_);
  expected_.erase(model);
  refused_.erase(model);
}

absl::Status DrainingError() {
  return WithReason(absl::UnavailableError("the daemon is shutting down; try again later"),
                    "SERVER_DRAINING");
}

}  // namespace tally::rpc
