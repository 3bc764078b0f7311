#include "client/cli/fit_input.h"

#include <sys/stat.h>

#include <string_view>
#include <utility>

#include "client/cli/exit_code.h"
#include "client/datasets/byte_source.h"
#include "core/algorithms/algorithms.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

// 64 Mi parameters of two bytes, three arrays each, and their header fit.
constexpr uint64_t kFileBytesMax = uint64_t{1} << 30;

bool Exists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

// A checkpoint begins with a length in 8 bytes, the upper ones 0, and a brace; text holds no 0.
bool LooksLikeCheckpoint(std::string_view bytes) {
  return bytes.substr(0, 8).find('\0') != std::string_view::npos;
}

absl::StatusOr<Trainee> TraineeOf(ModelSpec spec, std::optional<uint64_t> seed, size_t threads) {
  spec.seed = seed.value_or(spec.seed);
  Trainee trainee;
  if (spec.pocketnn.profile == PocketNnProfile::kReference) {
    if (threads > 1) {
      return UsageError("a reference profile repeats a program of one thread: leave out --threads");
    }
    TALLY_ASSIGN_OR_RETURN(trainee.reference, MakeReferenceRun(spec));
    return trainee;
  }
  trainee.workers = std::make_unique<WorkerPool>(threads);
  absl::StatusOr<std::unique_ptr<Learner>> learner =
      MakeLearner(spec, {.workers = trainee.workers.get()});
  if (!learner.ok()) return WithExitCode(learner.status(), ExitCode::kConfig);
  trainee.own = *std::move(learner);
  return trainee;
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  TALLY_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  std::string text;
  std::vector<std::byte> chunk(size_t{1} << 16);
  for (;;) {
    TALLY_ASSIGN_OR_RETURN(const size_t n, file.ReadUpTo(chunk));
    text.append(reinterpret_cast<const char*>(chunk.data()), n);
    if (n < chunk.size()) return text;
    if (text.size() > kFileBytesMax) {
      return absl::InvalidArgumentError(
          text::StrCat(path, ": larger than ", kFileBytesMax, " bytes"));
    }
  }
}

absl::StatusOr<Checkpoint> CheckpointFromBytes(std::string_view bytes, const std::string& path,
                                               WorkerPool* workers) {
  absl::StatusOr<Checkpoint> checkpoint = DecodeCheckpoint(
      bytes, [&](const ModelSpec& spec) { return MakeLearner(spec, {.workers = workers}); });
  if (checkpoint.ok()) return checkpoint;
  return absl::Status(checkpoint.status().code(),
                      text::StrCat(path, ": ", std::string(checkpoint.status().message())));
}

absl::StatusOr<Trainee> LoadTrainee(const std::string& source, std::optional<uint64_t> seed,
                                    size_t threads) {
  Trainee trainee;
  if (!Exists(source)) {
    const absl::StatusOr<ModelSpec> spec = ZooSpec(source);
    if (spec.ok()) return TraineeOf(*spec, seed, threads);
    return absl::Status(spec.status().code(),
                        text::StrCat("there is no file \"", source, "\", and ",
                                     std::string(spec.status().message())));
  }
  TALLY_ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(source));
  if (LooksLikeCheckpoint(bytes)) {
    if (seed.has_value()) {
      return UsageError(text::StrCat(
          source, " is a checkpoint, whose seed is that of its spec: leave out --seed"));
    }
    trainee.workers = std::make_unique<WorkerPool>(threads);
    TALLY_ASSIGN_OR_RETURN(Checkpoint checkpoint,
                           CheckpointFromBytes(bytes, source, trainee.workers.get()));
    trainee.own = std::move(checkpoint.learner);
    return trainee;
  }
  const absl::StatusOr<ModelSpec> spec = ModelSpecFromYaml(bytes, source);
  if (!spec.ok()) return WithExitCode(spec.status(), ExitCode::kConfig);
  return TraineeOf(*spec, seed, threads);
}

}  // namespace tally::cli
