// What algorithm niti asks of a spec.

#include "core/learner/model_spec_names.h"
#include "core/learner/model_spec_rules.h"
#include "core/text/status_macros.h"

namespace tally::spec_rules {
namespace {

using text::StrCat;

constexpr char kWithNiti[] = "algorithm: niti";
constexpr int32_t kMuMin = -15;
constexpr int32_t kMuMax = 7;
constexpr int32_t kFineMuMax = kMuMax + 8;  // eight more bits of a weight
constexpr uint32_t kCropPaddingMax = 16;
constexpr uint32_t kDecayBitsMin = 8;
constexpr uint32_t kRangeMemoryMax = 65536;
constexpr uint32_t kMomentumBitsMax = 5;
constexpr uint32_t kHeadroomBitsMax = 4;

absl::Status CheckInputFitsInt8(const ModelSpec& spec) {
  const bool as_they_are = spec.preprocessing.kind == PreprocessingKind::kNone;
  if (!as_they_are || spec.input.type == ElementType::kInt8) return absl::OkStatus();
  return FieldError("preprocessing.kind",
                    StrCat("got none, expected constants or calibrated: niti computes with int8, "
                           "and input.type is ",
                           spec_names::NameOf(spec_names::kElementTypes, spec.input.type)));
}

absl::Status CheckNitiLayers(const ModelSpec& spec) {
  const LayerKind first = spec.layers.front().kind;
  if (first != LayerKind::kDense && first != LayerKind::kConv2d) {
    return FieldError("layers[0].kind",
                      StrCat("got ", spec_names::NameOf(spec_names::kLayerKinds, first),
                             ", expected dense or conv2d in the first layer"));
  }
  for (size_t i = 0; i < spec.layers.size(); ++i) {
    const LayerSpec& layer = spec.layers[i];
    const bool is_last = i + 1 == spec.layers.size();
    const bool as_is = layer.activation == Activation::kAsIs;
    if (layer.kind != LayerKind::kDense && layer.kind != LayerKind::kConv2d) continue;
    if (as_is || (!is_last && layer.activation == Activation::kRelu)) continue;
    return FieldError(Indexed("layers", i, ".activation"),
                      StrCat("got ", spec_names::NameOf(spec_names::kActivations, layer.activation),
                             ", expected ", is_last ? "as_is in the last layer" : "relu or as_is",
                             " with ", kWithNiti));
  }
  return absl::OkStatus();
}

absl::Status CheckRates(const ModelSpec& spec) {
  const int32_t mu_max = spec.niti.weight_bits == 16 ? kFineMuMax : kMuMax;
  for (size_t i = 0; i < spec.learning_rate.size(); ++i) {
    const RatePoint& point = spec.learning_rate[i];
    if (point.inverse != 0) return NoMeaning(Indexed("learning_rate", i, ".inverse"), kWithNiti);
    const std::string field = Indexed("learning_rate", i, ".mu");
    if (!point.mu.has_value()) return FieldError(field, "missing; it has no default");
    TALLY_RETURN_IF_ERROR(CheckRange(field, *point.mu, kMuMin, mu_max));
  }
  return absl::OkStatus();
}

absl::Status CheckAugmentation(const ModelSpec& spec) {
  if (spec.augmentation == AugmentationSpec()) return absl::OkStatus();
  TALLY_RETURN_IF_ERROR(
      CheckRange("augmentation.crop_padding", spec.augmentation.crop_padding, 0u, kCropPaddingMax));
  const size_t dimensions = spec.input.shape.size();
  if (dimensions == 2 || dimensions == 3) return absl::OkStatus();
  return FieldError("augmentation",
                    StrCat("needs images, and input.shape has ", dimensions,
                           " dimensions; expected [height, width] or [height, width, channels]"));
}

// The golden values are those of these choices.
absl::Status CheckGolden(const ModelSpec& spec) {
  const auto refuse = [](std::string_view field, std::string_view wanted) {
    return FieldError(field, StrCat("niti.profile: golden requires ", wanted));
  };
  NitiSpec wanted;
  wanted.profile = spec.niti.profile;
  if (spec.niti.weight_bits != wanted.weight_bits) return refuse("niti.weight_bits", "8");
  if (spec.niti.loss_rounding != wanted.loss_rounding) {
    return refuse("niti.loss_rounding", "pseudo_stochastic");
  }
  if (spec.niti != wanted) return refuse("niti", "the defaults of its options");
  if (spec.augmentation != AugmentationSpec()) return refuse("augmentation", "none");
  return absl::OkStatus();
}

// Both need weights with bits of fraction.
absl::Status CheckFineOptions(const NitiSpec& niti) {
  TALLY_RETURN_IF_ERROR(CheckRange("niti.momentum_bits", niti.momentum_bits, 0u, kMomentumBitsMax));
  TALLY_RETURN_IF_ERROR(CheckRange("niti.headroom_bits", niti.headroom_bits, 0u, kHeadroomBitsMax));
  if (niti.weight_bits != 16) {
    const std::string_view fault = niti.momentum_bits != 0   ? "niti.momentum_bits"
                                   : niti.headroom_bits != 0 ? "niti.headroom_bits"
                                                             : "";
    if (!fault.empty()) return FieldError("niti.weight_bits", StrCat(fault, " requires 16"));
  }
  if (niti.momentum_bits == 0) return absl::OkStatus();
  constexpr std::string_view kWithMomentum = "niti.momentum_bits, which measures by the loss";
  if (niti.range_memory != 0) return NoMeaning("niti.range_memory", kWithMomentum);
  if (niti.gradient_bits_min != 0) return NoMeaning("niti.gradient_bits_min", kWithMomentum);
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckNiti(const ModelSpec& spec) {
  if (spec.pocketnn != PocketNnSpec()) return NoMeaning("pocketnn", kWithNiti);
  TALLY_RETURN_IF_ERROR(CheckInputFitsInt8(spec));
  TALLY_RETURN_IF_ERROR(CheckNitiLayers(spec));
  TALLY_RETURN_IF_ERROR(CheckRates(spec));
  const NitiSpec& niti = spec.niti;
  if (niti.weight_bits != 8 && niti.weight_bits != 16) {
    return FieldError("niti.weight_bits", StrCat("got ", niti.weight_bits, ", expected 8 or 16"));
  }
  TALLY_RETURN_IF_ERROR(CheckRange("niti.gradient_bits_min", niti.gradient_bits_min, 0u, 31u));
  TALLY_RETURN_IF_ERROR(CheckRange("niti.range_memory", niti.range_memory, 0u, kRangeMemoryMax));
  if (niti.decay_bits != 0 && (niti.decay_bits < kDecayBitsMin || niti.decay_bits > 31)) {
    return FieldError("niti.decay_bits",
                      StrCat("got ", niti.decay_bits, ", expected 0 or an integer from 8 to 31"));
  }
  TALLY_RETURN_IF_ERROR(CheckFineOptions(niti));
  TALLY_RETURN_IF_ERROR(CheckAugmentation(spec));
  return niti.profile == NitiProfile::kGolden ? CheckGolden(spec) : absl::OkStatus();
}

}  // namespace tally::spec_rules
