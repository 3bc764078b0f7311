// Checkpoint files with something wrong in them.

#ifndef TALLY_TESTS_DAEMON_E2E_BAD_CHECKPOINTS_H_
#define TALLY_TESTS_DAEMON_E2E_BAD_CHECKPOINTS_H_

#include <string>

namespace tally::e2e {

std::string FlipBit(std::string bytes, size_t at);

// A good safetensors file that somebody else made.
std::string ForeignSafetensors();

// `checkpoint` with every I16 tensor called F16: the same sizes, another meaning.
std::string WithFloatTensors(std::string checkpoint);

}  // namespace tally::e2e

#endif  // TALLY_TESTS_DAEMON_E2E_BAD_CHECKPOINTS_H_
