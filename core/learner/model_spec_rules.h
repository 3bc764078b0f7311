// What the rules of a ModelSpec are made of, and those that have files of their own. Internal to
// core/learner.

#ifndef TALLY_CORE_LEARNER_MODEL_SPEC_RULES_H_
#define TALLY_CORE_LEARNER_MODEL_SPEC_RULES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "core/learner/model_spec.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::spec_rules {

// INVALID_ARGUMENT "field: what" that carries the field.
inline absl::Status FieldError(std::string_view field, std::string_view what) {
  absl::Status status = absl::InvalidArgumentError(text::StrCat(field, ": ", what));
  status.SetPayload(kFieldPayloadUrl, absl::Cord(text::AbslView(field)));
  return status;
}

template <typename T>
absl::Status CheckRange(std::string_view field, T value, T min, T max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return FieldError(field,
                    text::StrCat("got ", value, ", expected an integer from ", min, " to ", max));
}

inline absl::Status NoMeaning(std::string_view field, std::string_view setting) {
  return FieldError(field, text::StrCat("has no meaning with ", setting));
}

inline std::string Indexed(std::string_view list, size_t index, std::string_view rest = "") {
  return text::StrCat(list, "[", index, "]", rest);
}

// The fields of one layer against its kind.
absl::Status CheckLayer(size_t index, const LayerSpec& layer);

// What algorithm niti asks of a spec whose other parts are in order.
absl::Status CheckNiti(const ModelSpec& spec);

}  // namespace tally::spec_rules

#endif  // TALLY_CORE_LEARNER_MODEL_SPEC_RULES_H_
