// The words that stand for the enums of a ModelSpec in text, in enum order. Internal to
// core/learner.

#ifndef TALLY_CORE_LEARNER_MODEL_SPEC_NAMES_H_
#define TALLY_CORE_LEARNER_MODEL_SPEC_NAMES_H_

#include <string_view>
#include <vector>

#include "core/learner/model_spec.h"

namespace tally::spec_names {

inline const std::vector<std::string_view> kAlgorithms = {kPocketNnName, kNitiName};
inline const std::vector<std::string_view> kElementTypes = {"uint8", "int8", "int16"};
inline const std::vector<std::string_view> kPreprocessingKinds = {"none", "constants",
                                                                  "calibrated"};
inline const std::vector<std::string_view> kPreprocessingScopes = {"global", "element", "channel"};
inline const std::vector<std::string_view> kActivations = {
    "pocket_tanh", "pocket_sigmoid", "pocket_leaky_relu", "pocket_relu8", "rescale", "as_is",
    "relu"};
inline const std::vector<std::string_view> kLayerKinds = {"dense", "conv2d", "max_pool", "dropout"};
inline const std::vector<std::string_view> kNitiProfiles = {"standard", "golden", "reference"};
inline const std::vector<std::string_view> kLossRoundings = {"half_away_from_zero",
                                                             "pseudo_stochastic", "stochastic"};
inline const std::vector<std::string_view> kNitiSoftmaxes = {"octaves", "fine"};
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
