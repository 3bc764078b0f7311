// Checkpoint files with something wrong in them.

#ifndef TALLY_TESTS_DAEMON_E2E_BAD_CHECKPOINTS_H_
#define TALLY_TESTS_DAEMON_E2E_BAD_CHECKPOINTS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace tally::e2e {

std::string FlipBit(std::string bytes, size_t at);

// A good safetensors file that somebody else made.
std::string ForeignSafetensors();

// `checkpoint` with every I16 tensor called F16: the same sizes, another meaning.
std::string WithFloatTensors(std::string checkpoint);

// A status of a plain stub as the client library would return it.
absl::Status FromGrpcForTest(const grpc::Status& status);

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_BAD_CHECKPOINTS_H_
