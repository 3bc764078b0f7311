// What `tally fit` starts from: a spec file, a network of the zoo, or a checkpoint to go on from.

#ifndef TALLY_CLIENT_CLI_FIT_INPUT_H_
#define TALLY_CLIENT_CLI_FIT_INPUT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/algorithms/pocketnn/reference_run.h"
#include "core/checkpoint/checkpoint.h"
#include "core/learner/learner.h"
#include "core/parallel/worker_pool.h"

namespace tally::cli {

// A learner ready to be fed; in the reference profile it belongs to `reference`.
struct Trainee {
  std::unique_ptr<WorkerPool> workers;  // outlives `own`
  std::unique_ptr<Learner> own;
  std::unique_ptr<ReferenceRun> reference;

  Learner& learner() { return reference != nullptr ? reference->learner() : *own; }
};

// The whole file; what cannot be read says so as the system does.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);

// A checkpoint, verified. `path` is for messages.
absl::StatusOr<Checkpoint> CheckpointFromBytes(std::string_view bytes, const std::string& path,
                                               WorkerPool* workers = nullptr);

// `source` is the name of a network of the zoo ("pocketnn/mnist-mlp"), unless a file of that name
// exists: then a checkpoint or a spec in YAML, told apart by their first bytes. `seed` goes before
// the spec's; a usage error if `source` is a checkpoint. `threads` share each mini-batch; a usage
// error for more than one with a reference profile.
absl::StatusOr<Trainee> LoadTrainee(const std::string& source,
                                    std::optional<uint64_t> seed = std::nullopt,
                                    size_t threads = 1);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_FIT_INPUT_H_
