// What a Tally server says about an error beside its code and message.
//
// Every absl::Status that the client library returns for a failed call carries the server's
// google.rpc.Status as a payload; DetailsOf decodes it.

#ifndef TALLY_CLIENT_ERROR_DETAILS_H_
#define TALLY_CLIENT_ERROR_DETAILS_H_

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace tally {

// One field of the request and what is wrong with it.
struct FieldViolation {
  std::string field;  // dotted path in the request: "samples.labels[3]"
  std::string description;
};

// Everything is empty when the server sent nothing of the kind (or the error is not a server's).
struct ErrorDetails {
  std::string reason;  // a constant for programs: "SEQUENCE_GAP", "MODEL_NOT_FOUND" ...
  std::vector<FieldViolation> fields;  // with INVALID_ARGUMENT and OUT_OF_RANGE
  // The earliest moment at which a retry makes sense; with RESOURCE_EXHAUSTED and UNAVAILABLE.
  std::optional<std::chrono::milliseconds> retry_delay;
  std::string
      resource_type;  // with NOT_FOUND, ALREADY_EXISTS and DATA_LOSS: "model", "checkpoint" ...
  std::string resource_name;
};

// Decodes the details of `status`. Never fails: details that cannot be read are left out.
// Thread-safe.
ErrorDetails DetailsOf(const absl::Status& status);

}  // namespace tally

#endif  // TALLY_CLIENT_ERROR_DETAILS_H_
