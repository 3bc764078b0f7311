// The words that stand for the enums of a ModelSpec in text, in enum order. Internal to
// core/learner.

#ifndef TALLY_CORE_LEARNER_MODEL_SPEC_NAMES_H_
#define TALLY_CORE_LEARNER_MODEL_SPEC_NAMES_H_

#include <string_view>
#include <vector>

namespace tally::spec_names {

inline const std::vector<std::string_view> kAlgorithms = {"pocketnn"};
inline const std::vector<std::string_view> kElementTypes = {"uint8", "int8", "int16"};
inline const std::vector<std::string_view> kPreprocessingKinds = {"none", "constants",
                                                                  "calibrated"};
inline const std::vector<std::string_view> kPreprocessingScopes = {"global", "element"};
inline const std::vector<std::string_view> kActivations = {
    "pocket_tanh", "pocket_sigmoid", "pocket_leaky_relu", "pocket_relu8", "rescale", "as_is"};
inline const std::vector<std::string_view> kProfiles = {"standard", "reference"};
inline const std::vector<std::string_view> kTrainings = {"dfa", "bp"};
inline const std::vector<std::string_view> kUpdateRoundings = {"toward_zero", "error_feedback",
                                                               "stochastic"};

template <typename E>
std::string_view NameOf(const std::vector<std::string_view>& names, E value) {
  return names[static_cast<size_t>(value)];
}

}  // namespace tally::spec_names

#endif  // TALLY_CORE_LEARNER_MODEL_SPEC_NAMES_H_
