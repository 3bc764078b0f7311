#include <sys/stat.h>

#include <cerrno>
#include <memory>
#include <string>

#include "CLI/Option.hpp"
#include "CLI/Validators.hpp"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/datasets/idx_writer.h"
#include "client/datasets/synthetic_digits.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::cli {
namespace {

constexpr uint32_t kImagesMax = 1000000;

struct SynthOptions {
  std::string out;
  uint32_t train = 20000;
  uint32_t test = 5000;
  uint64_t seed = 1;
};

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) == 0 || errno == EEXIST) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, text::StrCat("cannot create the folder ", path));
}

absl::Status WriteHalf(const SynthOptions& options, uint32_t part, uint32_t count,
                       const std::string& prefix) {
  const std::string path = text::StrCat(options.out, "/", prefix);
  return WithExitCode(WriteIdx(DrawDigits(options.seed, part, count), path + "-images-idx3-ubyte",
                               path + "-labels-idx1-ubyte"),
                      ExitCode::kInputOutput);
}

absl::Status Synth(const SynthOptions& options, Context& context) {
  TALLY_RETURN_IF_ERROR(WithExitCode(MakeFolder(options.out), ExitCode::kCannotCreate));
  TALLY_RETURN_IF_ERROR(WriteHalf(options, 0, options.train, "train"));
  TALLY_RETURN_IF_ERROR(WriteHalf(options, 1, options.test, "t10k"));
  context.output.Line(text::StrCat("drew ", options.train, " digits for training and ",
                                   options.test, " for the test into ", options.out));
  context.output.Result(JsonObject()
                            .Add("out", options.out)
                            .Add("train", options.train)
                            .Add("test", options.test)
                            .Add("seed", options.seed));
  return absl::OkStatus();
}

}  // namespace

void AddSynthCommand(CommandSet& commands) {
  auto options = std::make_shared<SynthOptions>();
  CLI::App& command =
      commands.Add({"synth", "Draw a data set of digits, for trying things out without a download",
                    "tally synth --out digits --train 20000 --test 5000 --seed 1"},
                   [options](Context& context) { return Synth(*options, context); });
  command.add_option("--out", options->out, "The folder for the four IDX files; made if absent")
      ->required();
  command.add_option("--train", options->train, "Images for training")
      ->check(CLI::Range(1u, kImagesMax))
      ->capture_default_str();
  command.add_option("--test", options->test, "Images for the test")
      ->check(CLI::Range(1u, kImagesMax))
      ->capture_default_str();
  command.add_option("--seed", options->seed, "Equal seeds draw equal images")
      ->capture_default_str();
}

}  // namespace tally::cli
