// Values of hosting and core <-> messages.

#ifndef TALLY_DAEMON_RPC_CONVERSION_H_
#define TALLY_DAEMON_RPC_CONVERSION_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/learner/model_spec.h"
#include "daemon/hosting/model_host.h"
#include "tally/v1/models.pb.h"
#include "tally/v1/training.pb.h"

namespace tally::rpc {

void ToProto(const hosting::SourceProgress& progress, v1::SourceProgress& out);
void ToProto(const hosting::Prequential& prequential, v1::Prequential& out);
void ToProto(const hosting::DigestPoint& point, v1::DigestPoint& out);
void ToProto(const hosting::CheckpointInfo& info, v1::CheckpointInfo& out);
// `refusal`: why the daemon does not serve the model; shown as state FAILED.
void ToProto(const hosting::ModelHost& host, const std::optional<std::string>& refusal,
             v1::Model& out);

// Through JSON, so that files and requests share one reader, its ranges and its messages. Errors
// carry the field's path below `spec`.
absl::StatusOr<ModelSpec> SpecFromProto(const v1::ModelSpec& spec);
void SpecToProto(const ModelSpec& spec, v1::ModelSpec& out);

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_CONVERSION_H_
