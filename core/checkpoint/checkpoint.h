// Learner state <-> canonical safetensors bytes, and the two digests.
//
// state_digest  SHA-256 over the state walk's digest entries sorted by name (name, type, shape,
//               little-endian bytes) and the canonical spec; excludes name, position, sources and
//               counters.
// file_digest   SHA-256 of the whole file with its own 64 hex digits as '0'; stored in the
// metadata. Both are 64 lower-case hex digits. The exact bytes are in FORMAT.md beside this file.

#ifndef TALLY_CORE_CHECKPOINT_CHECKPOINT_H_
#define TALLY_CORE_CHECKPOINT_CHECKPOINT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/learner/learner.h"

namespace tally {

// What the owner of a learner stores beside it (position, source table, ...): string to string.
// Keys match [a-z0-9_]+ and cannot clash with the checkpoint's own; values are UTF-8.
using Annotations = std::map<std::string, std::string>;

using LearnerFactory =
    std::function<absl::StatusOr<std::unique_ptr<Learner>>(const ModelSpec& spec)>;

struct Checkpoint {
  std::unique_ptr<Learner> learner;  // learner->spec().name is the stored name
  Annotations annotations;
  std::string state_digest;
  std::string file_digest;
};

std::string StateDigest(Learner& learner);

// The same state, spec, name and annotations always give the same bytes. No side effect on the
// learner.
std::string EncodeCheckpoint(Learner& learner, const Annotations& annotations);

// The file digest of EncodeCheckpoint's bytes, read from their header.
absl::StatusOr<std::string> FileDigestOf(std::string_view bytes);

// Verifies everything before it builds anything: header, ranges, types (floating-point tensors are
// refused by name), file digest, spec, state walk, state digest. DATA_LOSS names what was wrong and
// where; INVALID_ARGUMENT if the bytes are no checkpoint of ours at all or of a newer format
// version.
absl::StatusOr<Checkpoint> DecodeCheckpoint(std::string_view bytes, const LearnerFactory& factory);

// SHA-256 of `bytes` as 64 hex digits.
std::string Sha256Hex(std::string_view bytes);

}  // namespace tally

#endif  // TALLY_CORE_CHECKPOINT_CHECKPOINT_H_
