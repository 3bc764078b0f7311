// What the `tally` command returns to the shell, after sysexits.h.

#ifndef TALLY_CLIENT_CLI_EXIT_CODE_H_
#define TALLY_CLIENT_CLI_EXIT_CODE_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace tally::cli {

enum class ExitCode : uint8_t {
  kOk = 0,
  kUsage = 64,             // the command line
  kData = 65,              // the contents of a file, or a value the daemon refused
  kNoInput = 66,           // a file, a model or a checkpoint that is not there
  kUnavailable = 69,       // no daemon, or the model's state does not allow it now
  kSoftware = 70,          // a bug of ours
  kCannotCreate = 73,      // it exists already
  kInputOutput = 74,       // reading or writing failed
  kTemporaryFailure = 75,  // try again later
  kNoPermission = 77,      // the file's mode, or the daemon said no
  kConfig = 78,            // a spec file
};

// The exit code that `status` stands for: the one given to WithExitCode, else by its canonical
// code.
ExitCode ExitCodeOf(const absl::Status& status);

// `status` with an exit code of its own; OK stays OK.
absl::Status WithExitCode(absl::Status status, ExitCode code);

// An error in how the command was called.
absl::Status UsageError(std::string_view message);

// "INVALID_ARGUMENT" and so on.
std::string_view CodeName(absl::StatusCode code);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_EXIT_CODE_H_
