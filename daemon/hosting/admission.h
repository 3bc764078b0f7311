// Whether one more model fits into the daemon's limits.

#ifndef TALLY_DAEMON_HOSTING_ADMISSION_H_
#define TALLY_DAEMON_HOSTING_ADMISSION_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"

namespace tally::hosting {

struct AdmissionLimits {
  uint32_t models_max = 0;
  uint64_t parameters_max = 0;
  uint64_t memory_bytes_max = 0;
  size_t threads = 1;  // that share a mini-batch; each may take memory of its own
};

// What the models there are already take.
struct AdmittedLoad {
  uint32_t models = 0;
  uint64_t parameters = 0;
  uint64_t memory_bytes = 0;

  void Add(const ModelSpec& spec, size_t threads);
};

// Memory of a model at work: the learner with so many threads, and the samples that wait for
// calibration.
uint64_t ModelBytes(const ModelSpec& spec, size_t threads);

// RESOURCE_EXHAUSTED names the limit, what it is, what is taken and what was asked for. `spec` is
// valid.
absl::Status Admit(const AdmissionLimits& limits, const AdmittedLoad& load, const ModelSpec& spec);

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_ADMISSION_H_
