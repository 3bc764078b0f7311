// One inference request of the Open Inference Protocol against one snapshot.

#ifndef TALLY_DAEMON_RPC_INFER_H_
#define TALLY_DAEMON_RPC_INFER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "daemon/hosting/model_host.h"
#include "daemon/rpc/live_limits.h"
#include "inference/grpc_predict_v2.pb.h"

namespace tally::rpc {

// The protocol's name of an element type: "UINT8", "INT8", "INT16".
std::string_view DatatypeName(ElementType type);

// The name of a class: its label, or its index in decimal.
std::string ClassName(const ModelSpec& spec, uint32_t index);

// Validates `request` whole, then predicts. `response` is written only on success.
absl::Status Infer(const hosting::Snapshot& snapshot, const inference::ModelInferRequest& request,
                   const LiveLimits& limits, inference::ModelInferResponse& response);

// `inputs` and `outputs` of the metadata.
void DescribeTensors(const ModelSpec& spec, inference::ModelMetadataResponse& response);

}  // namespace tally::rpc

#endif  // TALLY_DAEMON_RPC_INFER_H_
