#include "daemon/rpc/status_details.h"

#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace tally::rpc {
namespace {

constexpr char kReasonUrl[] = "tally.reason";
constexpr char kResourceTypeUrl[] = "tally.resource_type";
constexpr char kResourceNameUrl[] = "tally.resource_name";
constexpr char kRetryMsUrl[] = "tally.retry_ms";
constexpr std::string_view kMetadataUrlPrefix = "tally.metadata.";
constexpr char kDomain[] = "tally";
constexpr uint64_t kRetryMs = 1000;

std::optional<std::string> Payload(const absl::Status& status, absl::string_view url) {
  const auto payload = status.GetPayload(url);
  if (!payload) return std::nullopt;
  return std::string(*payload);
}

void SetPayload(absl::Status& status, std::string_view url, std::string_view value) {
  status.SetPayload(text::AbslView(url), absl::Cord(text::AbslView(value)));
}

// The reason of an error whose maker gave none.
std::string_view DefaultReason(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
      return "INVALID_FIELD";
    case absl::StatusCode::kOutOfRange:
      return "OUT_OF_RANGE";
    case absl::StatusCode::kNotFound:
      return "NOT_FOUND";
    case absl::StatusCode::kAlreadyExists:
      return "ALREADY_EXISTS";
    case absl::StatusCode::kFailedPrecondition:
      return "FAILED_PRECONDITION";
    case absl::StatusCode::kResourceExhausted:
      return "LIMIT_REACHED";
    case absl::StatusCode::kUnavailable:
      return "NOT_NOW";
    case absl::StatusCode::kDataLoss:
      return "DAMAGED_STATE";
    case absl::StatusCode::kDeadlineExceeded:
      return "DEADLINE_EXCEEDED";
    case absl::StatusCode::kCancelled:
      return "CANCELLED";
    default:
      return "INTERNAL";
  }
}

std::string ReasonOf(const absl::Status& status) {
  return Payload(status, kReasonUrl).value_or(std::string(DefaultReason(status.code())));
}

google::rpc::ErrorInfo MakeErrorInfo(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonOf(status));
  info.set_domain(kDomain);
  status.ForEachPayload([&info](absl::string_view url, const absl::Cord& value) {
    const std::string_view key(url.data(), url.size());
    if (!key.starts_with(kMetadataUrlPrefix)) return;
    (*info.mutable_metadata())[std::string(key.substr(kMetadataUrlPrefix.size()))] =
        std::string(value);
  });
  return info;
}

google::rpc::RetryInfo MakeRetryInfo(const absl::Status& status) {
  uint64_t ms = kRetryMs;
  if (const auto text = Payload(status, kRetryMsUrl)) {
    if (!absl::SimpleAtoi(*text, &ms)) ms = kRetryMs;
  }
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(static_cast<int64_t>(ms / 1000));
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(ms % 1000) * 1000000);
  return info;
}

void AddDetails(const absl::Status& status, google::rpc::Status& out) {
  out.add_details()->PackFrom(MakeErrorInfo(status));
  const std::string message(status.message());
  if (const auto field = Payload(status, kFieldPayloadUrl)) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field(*field);
    violation->set_description(message);
    violation->set_reason(ReasonOf(status));
    out.add_details()->PackFrom(bad_request);
  }
  if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) {
    out.add_details()->PackFrom(MakeRetryInfo(status));
  }
  const auto resource_type = Payload(status, kResourceTypeUrl);
  const auto resource_name = Payload(status, kResourceNameUrl);
  if (absl::IsFailedPrecondition(status)) {
    google::rpc::PreconditionFailure failure;
    auto* violation = failure.add_violations();
    violation->set_type(ReasonOf(status));
    violation->set_subject(resource_name.value_or(""));
    violation->set_description(message);
    out.add_details()->PackFrom(failure);
  } else if (resource_type && resource_name) {
    google::rpc::ResourceInfo resource;
    resource.set_resource_type(*resource_type);
    resource.set_resource_name(*resource_name);
    resource.set_description(message);
    out.add_details()->PackFrom(resource);
  }
}

}  // namespace

absl::Status WithReason(absl::Status status, std::string_view reason) {
  if (!status.ok() && !status.GetPayload(kReasonUrl)) SetPayload(status, kReasonUrl, reason);
  return status;
}

absl::Status WithField(absl::Status status, std::string_view field) {
  if (!status.ok()) SetPayload(status, kFieldPayloadUrl, field);
  return status;
}

absl::Status WithFieldParent(absl::Status status, std::string_view parent) {
  const auto field = Payload(status, kFieldPayloadUrl);
  if (!field) return WithField(std::move(status), parent);
  const bool root = field->empty();
  return WithField(std::move(status),
                   root ? std::string(parent) : text::StrCat(parent, ".", *field));
}

absl::Status WithResource(absl::Status status, std::string_view type, std::string_view name) {
  if (status.ok() || status.GetPayload(kResourceTypeUrl)) return status;
  SetPayload(status, kResourceTypeUrl, type);
  SetPayload(status, kResourceNameUrl, name);
  return status;
}

absl::Status WithRetryMs(absl::Status status, uint64_t ms) {
  if (!status.ok()) SetPayload(status, kRetryMsUrl, text::StrCat(ms));
  return status;
}

absl::Status WithMetadata(absl::Status status, std::string_view key, std::string_view value) {
  if (!status.ok()) SetPayload(status, text::StrCat(kMetadataUrlPrefix, key), value);
  return status;
}

absl::Status FieldError(std::string_view field, std::string_view reason, std::string_view message) {
  return WithReason(
      WithField(absl::InvalidArgumentError(text::StrCat(field, ": ", message)), field), reason);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());  // the same numbers by design
  const std::string message(status.message());
  google::rpc::Status rich;
  rich.set_code(static_cast<int32_t>(status.code()));
  rich.set_message(message);
  AddDetails(status, rich);
  return grpc::Status(code, message, rich.SerializeAsString());
}

}  // namespace tally::rpc
