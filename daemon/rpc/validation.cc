#include "daemon/rpc/validation.h"

#include <limits>

#include "core/learner/model_spec_reader.h"
#include "core/text/strings.h"
#include "daemon/rpc/status_details.h"

namespace tally::rpc {
namespace {

std::string Join(std::string_view parent, std::string_view field) {
  return parent.empty() ? std::string(field) : text::StrCat(parent, ".", field);
}

// Sequences stay far from wrapping: at a million samples a second this takes 290,000 years.
constexpr uint64_t kSequenceMax = uint64_t{1} << 63;

}  // namespace

absl::Status CheckMessageSize(const google::protobuf::MessageLite& message,
                              const LiveLimits& limits) {
  const uint64_t size_bytes = message.ByteSizeLong();
  const uint64_t limit = limits.message_bytes.load(std::memory_order_relaxed);
  if (size_bytes <= limit) return absl::OkStatus();
  return WithReason(absl::InvalidArgumentError(text::StrCat("message of ", size_bytes,
                                                            " bytes; limits.message allows ", limit,
                                                            "; send fewer rows at a time")),
                    "MESSAGE_TOO_LARGE");
}

absl::Status CheckRows(std::string_view parent, const std::string& rows,
                       const google::protobuf::RepeatedField<uint32_t>& labels,
                       const ModelSpec& spec, const LiveLimits& limits) {
  const auto count = static_cast<uint64_t>(labels.size());
  const uint32_t rows_max = limits.rows.load(std::memory_order_relaxed);
  if (count == 0) {
    return FieldError(Join(parent, "labels"), "MISSING_FIELD", "empty; expected one label a row");
  }
  if (count > rows_max) {
    return FieldError(Join(parent, "labels"), "TOO_MANY_ROWS",
                      text::StrCat(count, " rows; limits.rows allows ", rows_max));
  }
  if (rows.size() != count * spec.RowBytes()) {
    return FieldError(Join(parent, "rows"), "SHAPE_MISMATCH",
                      text::StrCat(rows.size(), " bytes; expected ", count, " rows of ",
                                   spec.RowBytes(), " bytes = ", count * spec.RowBytes()));
  }
  for (int i = 0; i < labels.size(); ++i) {
    if (labels[i] >= spec.classes) {
      return FieldError(Join(parent, text::StrCat("labels[", i, "]")), "LABEL_OUT_OF_RANGE",
                        text::StrCat(labels[i], "; expected a class below ", spec.classes));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSamples(const v1::Samples& samples, const ModelSpec& spec,
                          const LiveLimits& limits) {
  if (samples.first_sequence() == 0 || samples.first_sequence() >= kSequenceMax) {
    return FieldError(
        "samples.first_sequence", "INVALID_SEQUENCE",
        text::StrCat(samples.first_sequence(), "; sequences start at 1 and stay below 2^63"));
  }
  return CheckRows("samples", samples.rows(), samples.labels(), spec, limits);
}

absl::Status CheckSource(const std::string& source) {
  return WithReason(WithField(CheckName("source", source), "source"), "INVALID_NAME");
}

absl::Status CheckVersion(const std::string& version, uint64_t position, const std::string& model) {
  const std::string current = text::StrCat(position);
  if (version.empty() || version == current) return absl::OkStatus();
  return WithResource(
      WithReason(absl::NotFoundError(text::StrCat(
                     "model \"", model, "\" serves version ", current, "; version \"", version,
                     "\" is not loaded; leave the version empty for ", "the current one")),
                 "VERSION_NOT_FOUND"),
      "model version", text::StrCat(model, "/", version));
}

}  // namespace tally::rpc
