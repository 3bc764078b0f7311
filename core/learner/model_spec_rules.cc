// Every range and cross-field rule of model_spec.h, each in one place.

#include "core/learner/model_spec_rules.h"

#include <algorithm>
#include <limits>

#include "core/learner/layer_shapes.h"
#include "core/learner/model_spec_names.h"
#include "core/learner/model_spec_reader.h"
#include "core/learner/standardisation_constants.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/utf8.h"
#include "core/text/value.h"

namespace tally {
namespace {

using spec_rules::CheckRange;
using spec_rules::FieldError;
using spec_rules::Indexed;
using text::StrCat;

absl::Status CheckInput(const InputSpec& input) {
  if (input.shape.empty() || input.shape.size() > 4) {
    return FieldError("input.shape",
                      StrCat("got ", input.shape.size(), " dimensions, expected from 1 to 4"));
  }
  uint64_t elements = 1;  // at most 2^64 - 1 checked step by step: each factor is at most 2^16
  for (size_t i = 0; i < input.shape.size(); ++i) {
    TALLY_RETURN_IF_ERROR(CheckRange(Indexed("input.shape", i), input.shape[i], 1u, 65536u));
    elements *= input.shape[i];
    if (elements > kInputElementsMax) {
      return FieldError("input.shape", StrCat("more than ", kInputElementsMax, " elements"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckConstants(const ModelSpec& spec) {
  const PreprocessingSpec& preprocessing = spec.preprocessing;
  const size_t wanted = StandardisationConstants(spec);
  const auto check_size = [&](std::string_view field, size_t size) {
    if (size == wanted) return absl::OkStatus();
    return FieldError(
        field,
        StrCat("got ", size, " values, expected ", wanted, " (scope: ",
               spec_names::NameOf(spec_names::kPreprocessingScopes, preprocessing.scope), ")"));
  };
  TALLY_RETURN_IF_ERROR(check_size("preprocessing.mean", preprocessing.mean.size()));
  TALLY_RETURN_IF_ERROR(check_size("preprocessing.deviation", preprocessing.deviation.size()));
  for (size_t i = 0; i < wanted; ++i) {
    TALLY_RETURN_IF_ERROR(
        CheckRange(Indexed("preprocessing.mean", i), preprocessing.mean[i], -32768, 32767));
    TALLY_RETURN_IF_ERROR(
        CheckRange(Indexed("preprocessing.deviation", i), preprocessing.deviation[i], 1, 65535));
  }
  return absl::OkStatus();
}

absl::Status CheckPreprocessing(const ModelSpec& spec) {
  const PreprocessingSpec& preprocessing = spec.preprocessing;
  const std::string kind(spec_names::NameOf(spec_names::kPreprocessingKinds, preprocessing.kind));
  const auto unused = [&](std::string_view field) {
    return spec_rules::NoMeaning(StrCat("preprocessing.", field),
                                 StrCat("preprocessing.kind: ", kind));
  };
  TALLY_RETURN_IF_ERROR(CheckRange("preprocessing.unit", preprocessing.unit, 1u, 127u));
  if (preprocessing.scope == PreprocessingScope::kChannel && spec.input.shape.size() != 3) {
    return FieldError("preprocessing.scope",
                      StrCat("got channel with an input.shape of ", spec.input.shape.size(),
                             " dimensions, expected 3: [height, width, channels]"));
  }
  if (preprocessing.kind == PreprocessingKind::kConstants) {
    TALLY_RETURN_IF_ERROR(CheckConstants(spec));
  } else {
    if (!preprocessing.mean.empty()) return unused("mean");
    if (!preprocessing.deviation.empty()) return unused("deviation");
  }
  if (preprocessing.kind == PreprocessingKind::kCalibrated) {
    TALLY_RETURN_IF_ERROR(CheckRange("preprocessing.calibration_samples",
                                     preprocessing.calibration_samples, 1u, 65536u));
  } else if (preprocessing.calibration_samples != 0) {
    return unused("calibration_samples");
  }
  if (preprocessing.kind == PreprocessingKind::kNone) {
    if (preprocessing.scope != PreprocessingSpec().scope) return unused("scope");
    if (preprocessing.unit != PreprocessingSpec().unit) return unused("unit");
  }
  return absl::OkStatus();
}

absl::Status CheckLayers(const ModelSpec& spec) {
  if (spec.layers.empty() || spec.layers.size() > 64) {
    return FieldError("layers",
                      StrCat("got ", spec.layers.size(), " layers, expected from 1 to 64"));
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    TALLY_RETURN_IF_ERROR(spec_rules::CheckLayer(i, spec.layers[i]));
  }
  TALLY_RETURN_IF_ERROR(CheckRange("classes", spec.classes, 2u, 65536u));
  TALLY_RETURN_IF_ERROR(CheckLayerShapes(spec));
  if (spec.layers.back().kind != LayerKind::kDense) {
    return FieldError(
        Indexed("layers", spec.layers.size() - 1, ".kind"),
        StrCat("got ", spec_names::NameOf(spec_names::kLayerKinds, spec.layers.back().kind),
               ", expected dense in the last layer"));
  }
  if (spec.layers.back().units != spec.classes) {
    return FieldError(Indexed("layers", spec.layers.size() - 1, ".units"),
                      StrCat("got ", spec.layers.back().units,
                             ", expected as many as classes in the last layer: ", spec.classes));
  }
  if (const uint64_t parameters = ParameterCount(spec); parameters > kParametersMax) {
    return FieldError("layers", StrCat("got ", parameters, " weights and biases, expected at most ",
                                       kParametersMax));
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const ModelSpec& spec) {
  if (spec.labels.empty()) return absl::OkStatus();
  if (spec.labels.size() != spec.classes) {
    return FieldError("labels", StrCat("got ", spec.labels.size(),
                                       " names, expected none or one a class: ", spec.classes));
  }
  for (size_t i = 0; i < spec.labels.size(); ++i) {
    const std::string& label = spec.labels[i];
    const bool control = std::any_of(label.begin(), label.end(), [](char c) {
      return static_cast<uint8_t>(c) < 0x20 || c == 0x7f;
    });
    if (label.empty() || label.size() > 128 || control || !text::IsUtf8(label)) {
      return FieldError(Indexed("labels", i),
                        StrCat("got ", label.size(),
                               " bytes, expected 1 to 128 bytes of UTF-8 without control "
                               "characters"));
    }
  }
  std::vector<std::string_view> sorted(spec.labels.begin(), spec.labels.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twin = std::adjacent_find(sorted.begin(), sorted.end());
  if (twin == sorted.end()) return absl::OkStatus();
  const auto first = std::find(spec.labels.begin(), spec.labels.end(), *twin);
  const auto second = std::find(first + 1, spec.labels.end(), *twin);
  return FieldError(Indexed("labels", static_cast<size_t>(second - spec.labels.begin())),
                    StrCat("got ", text::JsonQuote(*twin), " a second time; it is already labels[",
                           first - spec.labels.begin(), "]"));
}

absl::Status CheckSchedule(const ModelSpec& spec) {
  TALLY_RETURN_IF_ERROR(CheckRange("batch_size", spec.batch_size, 1u, 4096u));
  if (spec.learning_rate.empty() || spec.learning_rate.size() > 256) {
    return FieldError("learning_rate",
                      StrCat("got ", spec.learning_rate.size(), " points, expected from 1 to 256"));
  }
  for (size_t i = 0; i < spec.learning_rate.size(); ++i) {
    const RatePoint& point = spec.learning_rate[i];
    const std::string field = Indexed("learning_rate", i, ".from_step");
    if (i == 0 && point.from_step != 0) {
      return FieldError(field, StrCat("got ", point.from_step, ", the first point starts at 0"));
    }
    if (i > 0 && point.from_step <= spec.learning_rate[i - 1].from_step) {
      return FieldError(field,
                        StrCat("got ", point.from_step, ", expected more than the point before: ",
                               spec.learning_rate[i - 1].from_step));
    }
  }
  return CheckRange("schedule_steps", spec.schedule_steps, uint64_t{1}, uint64_t{1} << 40);
}

// The published program knows none of our options.
absl::Status CheckReference(const ModelSpec& spec) {
  const auto refuse = [](std::string_view field, std::string_view wanted) {
    return FieldError(field, StrCat("pocketnn.profile: reference requires ", wanted));
  };
  if (spec.input.type != ElementType::kUint8) return refuse("input.type", "uint8");
  if (spec.preprocessing.kind != PreprocessingKind::kNone) {
    return refuse("preprocessing.kind", "none");
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    if (spec.layers[i].activation != Activation::kPocketTanh) {
      return refuse(Indexed("layers", i, ".activation"), "pocket_tanh");
    }
  }
  if (spec.pocketnn.target != PocketNnSpec().target) return refuse("pocketnn.target", "15");
  if (spec.pocketnn.weight_limit != PocketNnSpec().weight_limit) {
    return refuse("pocketnn.weight_limit", "32767");
  }
  if (spec.pocketnn.update_rounding != UpdateRounding::kTowardZero) {
    return refuse("pocketnn.update_rounding", "toward_zero");
  }
  return absl::OkStatus();
}

absl::Status CheckPocketNnLayers(const ModelSpec& spec) {
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    if (layer.kind != LayerKind::kDense) {
      return FieldError(Indexed("layers", i, ".kind"),
                        StrCat("got ", spec_names::NameOf(spec_names::kLayerKinds, layer.kind),
                               ", expected dense with algorithm: pocketnn"));
    }
    if (layer.activation == Activation::kRelu) {
      return FieldError(Indexed("layers", i, ".activation"),
                        "got relu, expected one of pocket_tanh, pocket_sigmoid, pocket_leaky_relu, "
                        "pocket_relu8, rescale, as_is with algorithm: pocketnn");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPocketNn(const ModelSpec& spec) {
  TALLY_RETURN_IF_ERROR(CheckPocketNnLayers(spec));
  for (size_t i = 0; i < spec.learning_rate.size(); ++i) {
    const RatePoint& point = spec.learning_rate[i];
    TALLY_RETURN_IF_ERROR(CheckRange(Indexed("learning_rate", i, ".inverse"), point.inverse, 1u,
                                     static_cast<uint32_t>(std::numeric_limits<int32_t>::max())));
    if (point.mu.has_value()) {
      return spec_rules::NoMeaning(Indexed("learning_rate", i, ".mu"), "algorithm: pocketnn");
    }
  }
  if (spec.niti != NitiSpec()) return spec_rules::NoMeaning("niti", "algorithm: pocketnn");
  if (spec.augmentation != AugmentationSpec()) {
    return spec_rules::NoMeaning("augmentation", "algorithm: pocketnn");
  }
  TALLY_RETURN_IF_ERROR(CheckRange("pocketnn.target", spec.pocketnn.target, 1u, 127u));
  TALLY_RETURN_IF_ERROR(
      CheckRange("pocketnn.weight_limit", spec.pocketnn.weight_limit, 1u, 32767u));
  if (spec.pocketnn.profile == PocketNnProfile::kReference) return CheckReference(spec);
  return absl::OkStatus();
}

absl::Status CheckAlgorithm(std::string_view algorithm) {
  const auto& names = spec_names::kAlgorithms;
  if (std::find(names.begin(), names.end(), algorithm) != names.end()) return absl::OkStatus();
  std::string known;
  for (const std::string_view name : names)
    text::StrAppend(&known, known.empty() ? "" : ", ", name);
  return FieldError("algorithm", StrCat("got ", text::JsonQuote(algorithm.substr(0, 64)),
                                        ", expected one of ", known));
}

}  // namespace

absl::Status ValidateModelSpec(const ModelSpec& spec) {
  if (!spec.name.empty()) TALLY_RETURN_IF_ERROR(CheckName("name", spec.name));
  TALLY_RETURN_IF_ERROR(CheckAlgorithm(spec.algorithm));
  TALLY_RETURN_IF_ERROR(CheckInput(spec.input));
  TALLY_RETURN_IF_ERROR(CheckPreprocessing(spec));
  TALLY_RETURN_IF_ERROR(CheckLayers(spec));
  TALLY_RETURN_IF_ERROR(CheckLabels(spec));
  TALLY_RETURN_IF_ERROR(CheckSchedule(spec));
  return spec.algorithm == kNitiName ? spec_rules::CheckNiti(spec) : CheckPocketNn(spec);
}

absl::Status CheckName(std::string_view field, std::string_view name) {
  static constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz0123456789";
  static constexpr std::string_view kAny = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (!name.empty() && name.size() <= 63 && kFirst.find(name[0]) != std::string_view::npos &&
      name.find_first_not_of(kAny) == std::string_view::npos) {
    return absl::OkStatus();
  }
  return FieldError(field, StrCat("got ", text::JsonQuote(name.substr(0, 64)),
                                  ", expected 1 to 63 characters of a-z, 0-9, '.', '_' and '-', "
                                  "the first a letter or digit"));
}

}  // namespace tally
