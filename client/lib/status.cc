#include "client/lib/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tally/error_details.h"

namespace tally {
namespace {

constexpr char kStatusPayloadUrl[] = "type.googleapis.com/google.rpc.Status";

// A delay beyond an hour is as good as an hour, and keeps the sum below within its type.
constexpr int64_t kRetrySecondsMax = 3600;

std::chrono::milliseconds ToMilliseconds(const google::protobuf::Duration& duration) {
  if (duration.seconds() < 0 || duration.nanos() < 0) return std::chrono::milliseconds(0);
  if (duration.seconds() >= kRetrySecondsMax) return std::chrono::seconds(kRetrySecondsMax);
  return std::chrono::milliseconds(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

void Decode(const google::protobuf::Any& any, ErrorDetails& details) {
  google::rpc::ErrorInfo error_info;
  google::rpc::RetryInfo retry_info;
  google::rpc::BadRequest bad_request;
  google::rpc::ResourceInfo resource_info;
  if (any.UnpackTo(&error_info)) {
    details.reason = error_info.reason();
  } else if (any.UnpackTo(&retry_info)) {
    details.retry_delay = ToMilliseconds(retry_info.retry_delay());
  } else if (any.UnpackTo(&bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      details.fields.push_back({violation.field(), violation.description()});
    }
  } else if (any.UnpackTo(&resource_info)) {
    details.resource_type = resource_info.resource_type();
    details.resource_name = resource_info.resource_name();
  }
}

}  // namespace

ErrorDetails DetailsOf(const absl::Status& status) {
  ErrorDetails details;
  const auto payload = status.GetPayload(kStatusPayloadUrl);
  google::rpc::Status message;
  if (!payload.has_value() || !message.ParseFromString(std::string(*payload))) return details;
  for (const google::protobuf::Any& any : message.details()) Decode(any, details);
  return details;
}

namespace internal {

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  if (!status.error_details().empty()) {
    result.SetPayload(kStatusPayloadUrl, absl::Cord(status.error_details()));
  }
  return result;
}

Refusal Classify(const absl::Status& status) {
  const bool told_when = DetailsOf(status).retry_delay.has_value();
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return told_when ? Refusal::kByServer : Refusal::kLost;
    case absl::StatusCode::kResourceExhausted:
      return told_when ? Refusal::kByServer : Refusal::kFinal;
    case absl::StatusCode::kCancelled:
      // We did not cancel (our callers look at that first): it is how gRPC reports a call that was
      // under way when the server shut down.
      return Refusal::kLost;
    default:
      return Refusal::kFinal;
  }
}

std::chrono::milliseconds RequestedDelay(const absl::Status& status) {
  return DetailsOf(status).retry_delay.value_or(std::chrono::milliseconds(0));
}

}  // namespace internal
}  // namespace tally
