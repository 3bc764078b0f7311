// grpc::Status -> absl::Status, and which errors are worth another try.

#ifndef TALLY_CLIENT_LIB_STATUS_H_
#define TALLY_CLIENT_LIB_STATUS_H_

#include <grpcpp/support/status.h>

#include <chrono>
#include <optional>

#include "absl/status/status.h"

namespace tally::internal {

// Same code and message; the details travel as a payload that DetailsOf reads.
absl::Status FromGrpc(const grpc::Status& status);

// How sure we are that a failed call was not carried out.
enum class Refusal {
  kFinal,     // another attempt makes no sense
  kByServer,  // the server said so, and when to come back: nothing was done
  kLost,      // the connection broke or could not be made: the call may have been carried out
};

Refusal Classify(const absl::Status& status);

// The delay the server asked for, zero if it asked for none.
std::chrono::milliseconds RequestedDelay(const absl::Status& status);

}  // namespace tally::internal

#endif  // TALLY_CLIENT_LIB_STATUS_H_
