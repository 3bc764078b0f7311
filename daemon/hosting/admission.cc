#include "daemon/hosting/admission.h"

#include <string_view>

#include "core/algorithms/algorithms.h"
#include "core/text/strings.h"

namespace tally::hosting {
namespace {

absl::Status CheckLimit(std::string_view what, uint64_t limit, uint64_t taken, uint64_t wanted) {
  if (taken <= limit && wanted <= limit - taken) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      text::StrCat(what, " limit ", limit, " reached: existing models take ", taken,
                   ", this one asks for ", wanted, "; delete a model or raise the limit"));
}

}  // namespace

uint64_t ModelBytes(const ModelSpec& spec, size_t threads) {
  return LearnerBytes(spec, threads) +
         uint64_t{spec.preprocessing.calibration_samples} * spec.RowBytes();
}

void AdmittedLoad::Add(const ModelSpec& spec, size_t threads) {
  ++models;
  parameters += ParameterCount(spec);
  memory_bytes += ModelBytes(spec, threads);
}

absl::Status Admit(const AdmissionLimits& limits, const AdmittedLoad& load, const ModelSpec& spec) {
  absl::Status status = CheckLimit("limits.models:", limits.models_max, load.models, 1);
  status.Update(CheckLimit("limits.parameters:", limits.parameters_max, load.parameters,
                           ParameterCount(spec)));
  status.Update(CheckLimit("memory of models: bytes", limits.memory_bytes_max, load.memory_bytes,
                           ModelBytes(spec, limits.threads)));
  return status;
}

}  // namespace tally::hosting
