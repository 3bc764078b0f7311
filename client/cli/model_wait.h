// Waiting for a model that the daemon is still recovering.

#ifndef TALLY_CLIENT_CLI_MODEL_WAIT_H_
#define TALLY_CLIENT_CLI_MODEL_WAIT_H_

#include <cstdint>
#include <string>

#include "CLI/App.hpp"
#include "absl/status/statusor.h"
#include "client/cli/command_set.h"
#include "tally/client.h"

namespace tally::cli {

struct WaitOptions {
  uint32_t wait_s = 600;  // --wait; 0: not at all
};

// --wait, for commands that need a model in working order.
void AddWaitOption(CLI::App& command, WaitOptions& options);

// The model `name`, as soon as it is no longer being created or recovered; a model in any other
// state is returned at once. On a terminal a line shows how far the recovery is. UNAVAILABLE once
// --wait has passed; errors are ready to be printed.
absl::StatusOr<v1::Model> WaitForModel(const Client& client, const std::string& name,
                                       const WaitOptions& options, Context& context);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_MODEL_WAIT_H_
