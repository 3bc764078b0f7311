// The fields of a layer that its kind has, and their ranges.

#include "core/learner/model_spec_names.h"
#include "core/learner/model_spec_rules.h"
#include "core/text/status_macros.h"

namespace tally::spec_rules {
namespace {

constexpr uint32_t kUnitsMax = 65536;
constexpr uint32_t kConvKernelMax = 32;
// The place of a maximum in its window is kept in a byte.
constexpr uint32_t kPoolKernelMax = 16;

absl::Status CheckKernel(size_t index, const Extent2d& kernel, uint32_t max) {
  TALLY_RETURN_IF_ERROR(CheckRange(Indexed("layers", index, ".kernel[0]"), kernel.height, 1u, max));
  return CheckRange(Indexed("layers", index, ".kernel[1]"), kernel.width, 1u, max);
}

absl::Status CheckPadding(size_t index, const LayerSpec& layer) {
  TALLY_RETURN_IF_ERROR(CheckRange(Indexed("layers", index, ".padding[0]"), layer.padding.height,
                                   0u, layer.kernel.height - 1));
  return CheckRange(Indexed("layers", index, ".padding[1]"), layer.padding.width, 0u,
                    layer.kernel.width - 1);
}

// The ranges of the fields that the kind has.
absl::Status CheckOwnFields(size_t index, const LayerSpec& layer) {
  switch (layer.kind) {
    case LayerKind::kDense:
      return CheckRange(Indexed("layers", index, ".units"), layer.units, 1u, kUnitsMax);
    case LayerKind::kConv2d:
      TALLY_RETURN_IF_ERROR(
          CheckRange(Indexed("layers", index, ".units"), layer.units, 1u, kUnitsMax));
      TALLY_RETURN_IF_ERROR(CheckKernel(index, layer.kernel, kConvKernelMax));
      return CheckPadding(index, layer);
    case LayerKind::kMaxPool:
      return CheckKernel(index, layer.kernel, kPoolKernelMax);
    case LayerKind::kDropout:
      return CheckRange(Indexed("layers", index, ".drop_permille"), layer.drop_permille, 1u, 999u);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLayer(size_t index, const LayerSpec& layer) {
  const bool conv = layer.kind == LayerKind::kConv2d;
  const bool weights = conv || layer.kind == LayerKind::kDense;
  const struct {
    std::string_view field;
    bool has_meaning;
    bool is_set;
  } fields[] = {
      {".units", weights, layer.units != 0},
      {".activation", weights, layer.activation != LayerSpec().activation},
      {".kernel", conv || layer.kind == LayerKind::kMaxPool, layer.kernel != Extent2d()},
      {".padding", conv, layer.padding != Extent2d()},
      {".drop_permille", layer.kind == LayerKind::kDropout, layer.drop_permille != 0},
  };
  for (const auto& field : fields) {
    if (field.is_set && !field.has_meaning) {
      return NoMeaning(
          Indexed("layers", index, field.field),
          text::StrCat("kind: ", spec_names::NameOf(spec_names::kLayerKinds, layer.kind)));
    }
  }
  return CheckOwnFields(index, layer);
}

}  // namespace tally::spec_rules
