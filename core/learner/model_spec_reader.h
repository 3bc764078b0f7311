// ModelSpec <-> text: the strict reader shared by YAML files, JSON from the wire and checkpoints,
// and the canonical writer whose bytes enter the state digest.

#ifndef TALLY_CORE_LEARNER_MODEL_SPEC_READER_H_
#define TALLY_CORE_LEARNER_MODEL_SPEC_READER_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/learner/model_spec.h"
#include "core/text/value.h"

namespace tally {

// Reads a spec from a parsed document. Unknown keys, wrong types, values out of range and
// contradictions are INVALID_ARGUMENT; the message gives the value's place (file:line when the
// document has one), its path, the value and what was expected, and for an unknown key the nearest
// valid one. `path` is the document's own place in a larger one ("models[0]"), for messages.
// Missing keys take the defaults of model_spec.h; `algorithm`, `input`, `layers`, `classes`,
// `learning_rate` and `schedule_steps` are required, `name` may be empty here.
absl::StatusOr<ModelSpec> ReadModelSpec(const text::Value& document, std::string_view path = "");

// ParseJson / ParseYaml followed by ReadModelSpec. `origin` names the text in messages.
absl::StatusOr<ModelSpec> ModelSpecFromJson(std::string_view json, std::string_view origin);
absl::StatusOr<ModelSpec> ModelSpecFromYaml(std::string_view yaml, std::string_view origin);

// INVALID_ARGUMENT unless `spec` obeys every range and cross-field rule of model_spec.h. The
// readers above call it; code that builds a spec by hand calls it itself.
absl::Status ValidateModelSpec(const ModelSpec& spec);

// Compact JSON, keys sorted, every field present (sub-objects of other algorithms are not), without
// `name`. Equal specs give equal bytes. These bytes are part of the state digest for ever: a field
// added later must be left out while it has the value that means "as before".
std::string CanonicalSpec(const ModelSpec& spec);

// CanonicalSpec plus `name`, on several lines: what a person reads in errors and `tally models`.
std::string PrettySpec(const ModelSpec& spec);

// OK if `name` matches [a-z0-9][a-z0-9._-]{0,62}, else INVALID_ARGUMENT naming `field`.
absl::Status CheckName(std::string_view field, std::string_view name);

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_MODEL_SPEC_READER_H_
