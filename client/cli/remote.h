// What the commands that talk to a daemon share.

#ifndef TALLY_CLIENT_CLI_REMOTE_H_
#define TALLY_CLIENT_CLI_REMOTE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "CLI/App.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/command_set.h"
#include "client/cli/json_object.h"
#include "core/learner/model_spec.h"
#include "tally/client.h"

namespace tally::cli {

struct RemoteOptions {
  uint32_t timeout_s = 0;  // --timeout; 0: the client library's own deadlines
};

// --timeout.
void AddRemoteOptions(CLI::App& command, RemoteOptions& options);

// A client of the daemon at `context.server`; `patience` as in ClientOptions.
absl::StatusOr<std::unique_ptr<Client>> ConnectTo(
    const Context& context, const RemoteOptions& options,
    std::chrono::milliseconds patience = ClientOptions().patience);

// An error of the client library as the frame prints it: with the field's path, and a remedy when
// no daemon answers.
absl::Status RemoteError(const absl::Status& status);

// A name for a source that no other run uses: "cli-" and 16 hexadecimal digits.
std::string RandomSource();

// A spec to and from the wire; both have the same fields.
v1::ModelSpec SpecToMessage(const ModelSpec& spec);
absl::StatusOr<ModelSpec> SpecFromMessage(const v1::ModelSpec& message);

std::string_view StateName(v1::ModelState state);  // "READY", ...

// A model and a generation as objects whose counts are plain numbers.
JsonObject ModelJson(const v1::Model& model);
JsonObject CheckpointJson(const v1::CheckpointInfo& checkpoint);

// One line each, for a person.
std::string ModelLine(const v1::Model& model);
std::string CheckpointLine(const v1::CheckpointInfo& checkpoint);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_REMOTE_H_
