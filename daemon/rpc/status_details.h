// absl::Status -> grpc::Status with google.rpc details in the trailer `grpc-status-details-bin`.
//
// Details travel as payloads of the absl::Status, so that whoever makes an error can name its
// reason, field, resource or retry delay. The table of errors is in proto/README.md.

#ifndef TALLY_DAEMON_RPC_STATUS_DETAILS_H_
#define TALLY_DAEMON_RPC_STATUS_DETAILS_H_

#include <grpcpp/support/status.h>

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace tally::rpc {

// UPPER_SNAKE_CASE; the first reason given stays. Without one it follows from the code.
absl::Status WithReason(absl::Status status, std::string_view reason);

// Dotted path of the request's field to blame ("inputs[0].shape").
absl::Status WithField(absl::Status status, std::string_view field);
// Puts `parent` before the path that is there already: "layers[1].units" -> "spec.layers[1].units".
absl::Status WithFieldParent(absl::Status status, std::string_view parent);

// The thing the error is about: {"model", "digits"}. The first one given stays.
absl::Status WithResource(absl::Status status, std::string_view type, std::string_view name);

// RESOURCE_EXHAUSTED and UNAVAILABLE carry a retry delay in any case; this one replaces the default
// of 1 s.
absl::Status WithRetryMs(absl::Status status, uint64_t ms);

// One entry of ErrorInfo.metadata.
absl::Status WithMetadata(absl::Status status, std::string_view key, std::string_view value);

// INVALID_ARGUMENT about one field.
absl::Status FieldError(std::string_view field, std::string_view reason, std::string_view message);

grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_STATUS_DETAILS_H_
