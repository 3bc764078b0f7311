// What a request must fulfil before anything of it is kept or computed.

#ifndef TALLY_DAEMON_RPC_VALIDATION_H_
#define TALLY_DAEMON_RPC_VALIDATION_H_

#include <google/protobuf/message_lite.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/learner/model_spec.h"
#include "daemon/rpc/live_limits.h"
#include "tally/v1/training.pb.h"

namespace tally::rpc {

// INVALID_ARGUMENT, never RESOURCE_EXHAUSTED: the same message would be as large on every retry.
absl::Status CheckMessageSize(const google::protobuf::MessageLite& message,
                              const LiveLimits& limits);

// Labelled rows, as Samples and EvaluateRequest hold them. `parent` is the path of the message that
// holds `rows` and `labels` ("samples" or "").
absl::Status CheckRows(std::string_view parent, const std::string& rows,
                       const google::protobuf::RepeatedField<uint32_t>& labels,
                       const ModelSpec& spec, const LiveLimits& limits);

// A packet: rows, labels and sequence.
absl::Status CheckSamples(const v1::Samples& samples, const ModelSpec& spec,
                          const LiveLimits& limits);

// [a-z0-9][a-z0-9._-]{0,62}
absl::Status CheckSource(const std::string& source);

// OK if `version` is empty or names the snapshot at `position`; else NOT_FOUND.
absl::Status CheckVersion(const std::string& version, uint64_t position, const std::string& model);

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_VALIDATION_H_
