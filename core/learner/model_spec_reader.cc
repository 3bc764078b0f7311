#include "core/learner/model_spec_reader.h"

#include <limits>

#include "absl/strings/cord.h"
#include "core/learner/model_spec_names.h"
#include "core/text/object_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally {
namespace {

using text::ObjectReader;
using text::StrCat;
using text::Value;

// The reader checks types and keys; ranges and contradictions are ValidateModelSpec's, so that each
// rule stands in one place. These bounds only keep hostile lists from being copied.
constexpr uint32_t kMax32 = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kMax64 = std::numeric_limits<uint64_t>::max();
constexpr size_t kElementsMax = size_t{1} << 20;
constexpr size_t kLabelsMax = 65536;

void ReadInput(ObjectReader& reader, InputSpec& input) {
  reader.Require("shape");
  reader.UnsignedList("shape", 4, 0, kMax32, input.shape);
  reader.Enum("type", spec_names::kElementTypes, input.type);
}

void ReadPreprocessing(ObjectReader& reader, PreprocessingSpec& preprocessing) {
  constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
  constexpr int32_t kMax = std::numeric_limits<int32_t>::max();
  reader.Enum("kind", spec_names::kPreprocessingKinds, preprocessing.kind);
  reader.Enum("scope", spec_names::kPreprocessingScopes, preprocessing.scope);
  reader.Unsigned("unit", 0u, kMax32, preprocessing.unit);
  reader.SignedList("mean", kElementsMax, kMin, kMax, preprocessing.mean);
  reader.SignedList("deviation", kElementsMax, kMin, kMax, preprocessing.deviation);
  reader.Unsigned("calibration_samples", 0u, kMax32, preprocessing.calibration_samples);
}

void ReadExtent(ObjectReader& reader, std::string_view key, Extent2d& extent) {
  std::vector<uint32_t> sizes;
  reader.UnsignedList(key, 2, 0, kMax32, sizes);
  if (!reader.Has(key)) return;
  if (sizes.size() == 2) {
    extent = {sizes[0], sizes[1]};
  } else {
    reader.Fail(key, StrCat("got ", sizes.size(), " items, expected 2: height and width"));
  }
}

void ReadLayer(ObjectReader& reader, LayerSpec& layer) {
  reader.Enum("kind", spec_names::kLayerKinds, layer.kind);
  const bool pool = layer.kind == LayerKind::kMaxPool;
  const bool dropout = layer.kind == LayerKind::kDropout;
  if (!pool && !dropout) reader.Require("units");
  if (pool || layer.kind == LayerKind::kConv2d) reader.Require("kernel");
  if (dropout) reader.Require("drop_permille");
  reader.Unsigned("units", 0u, kMax32, layer.units);
  reader.Enum("activation", spec_names::kActivations, layer.activation);
  ReadExtent(reader, "kernel", layer.kernel);
  ReadExtent(reader, "padding", layer.padding);
  reader.Unsigned("drop_permille", 0u, kMax32, layer.drop_permille);
}

void ReadRatePoint(ObjectReader& reader, std::string_view algorithm, RatePoint& point) {
  reader.Unsigned("from_step", uint64_t{0}, kMax64, point.from_step);
  if (algorithm == kPocketNnName) reader.Require("inverse");
  if (algorithm == kNitiName) reader.Require("mu");
  reader.Unsigned("inverse", 0u, kMax32, point.inverse);
  int64_t mu = 0;
  reader.Signed("mu", std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(), mu);
  if (reader.Has("mu")) point.mu = static_cast<int32_t>(mu);
}

void ReadPocketNn(ObjectReader& reader, PocketNnSpec& pocketnn) {
  reader.Enum("profile", spec_names::kProfiles, pocketnn.profile);
  reader.Enum("training", spec_names::kTrainings, pocketnn.training);
  reader.Unsigned("target", 0u, kMax32, pocketnn.target);
  reader.Unsigned("weight_limit", 0u, kMax32, pocketnn.weight_limit);
  reader.Enum("update_rounding", spec_names::kUpdateRoundings, pocketnn.update_rounding);
}

void ReadNiti(ObjectReader& reader, NitiSpec& niti) {
  reader.Enum("profile", spec_names::kNitiProfiles, niti.profile);
  reader.Unsigned("weight_bits", 0u, kMax32, niti.weight_bits);
  reader.Enum("loss_rounding", spec_names::kLossRoundings, niti.loss_rounding);
  reader.Unsigned("gradient_bits_min", 0u, kMax32, niti.gradient_bits_min);
  reader.Unsigned("range_memory", 0u, kMax32, niti.range_memory);
  reader.Unsigned("decay_bits", 0u, kMax32, niti.decay_bits);
  reader.Enum("softmax", spec_names::kNitiSoftmaxes, niti.softmax);
  reader.Unsigned("momentum_bits", 0u, kMax32, niti.momentum_bits);
  reader.Unsigned("headroom_bits", 0u, kMax32, niti.headroom_bits);
}

void ReadAugmentation(ObjectReader& reader, AugmentationSpec& augmentation) {
  reader.Unsigned("crop_padding", 0u, kMax32, augmentation.crop_padding);
  reader.Bool("horizontal_flip", augmentation.horizontal_flip);
}

void ReadFields(ObjectReader& reader, ModelSpec& spec) {
  for (const std::string_view key :
       {"algorithm", "input", "layers", "classes", "learning_rate", "schedule_steps"}) {
    reader.Require(key);
  }
  reader.String("name", spec.name);
  reader.String("algorithm", spec.algorithm);
  reader.Object("input", [&](ObjectReader& input) { ReadInput(input, spec.input); });
  reader.Object("preprocessing", [&](ObjectReader& preprocessing) {
    ReadPreprocessing(preprocessing, spec.preprocessing);
  });
  reader.ObjectList("layers", 1, 64, [&](size_t, ObjectReader& layer) {
    ReadLayer(layer, spec.layers.emplace_back());
  });
  reader.Unsigned("classes", 0u, kMax32, spec.classes);
  reader.StringList("labels", kLabelsMax, spec.labels);
  reader.Unsigned("batch_size", 0u, kMax32, spec.batch_size);
  reader.ObjectList("learning_rate", 1, 256, [&](size_t, ObjectReader& point) {
    ReadRatePoint(point, spec.algorithm, spec.learning_rate.emplace_back());
  });
  reader.Unsigned("schedule_steps", uint64_t{0}, kMax64, spec.schedule_steps);
  reader.Unsigned("seed", uint64_t{0}, kMax64, spec.seed);
  reader.Object("pocketnn", [&](ObjectReader& pocketnn) { ReadPocketNn(pocketnn, spec.pocketnn); });
  reader.Object("niti", [&](ObjectReader& niti) { ReadNiti(niti, spec.niti); });
  reader.Object("augmentation", [&](ObjectReader& augmentation) {
    ReadAugmentation(augmentation, spec.augmentation);
  });
}

// One step down a dotted path: "layers[2].units" is ".layers", "[2]", ".units".
const Value* StepInto(const Value& value, std::string_view& path) {
  const bool index = path.front() == '[';
  const size_t end = index ? path.find(']') : path.find_first_of(".[");
  const std::string_view part = path.substr(index ? 1 : 0, end - (index ? 1 : 0));
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + (index ? 1 : 0));
  if (!path.empty() && path.front() == '.') path.remove_prefix(1);
  if (index) {
    size_t position = 0;
    for (const char c : part) position = position * 10 + static_cast<size_t>(c - '0');
    const auto* list = std::get_if<text::List>(&value.data);
    return list != nullptr && position < list->size() ? &(*list)[position] : nullptr;
  }
  const auto* map = std::get_if<text::Map>(&value.data);
  if (map == nullptr) return nullptr;
  for (const auto& [key, child] : *map) {
    if (key == part) return &child;
  }
  return nullptr;
}

// The value at `path`, or the deepest one on the way to it that exists.
const Value& Locate(const Value& document, std::string_view path) {
  const Value* value = &document;
  while (!path.empty()) {
    const Value* child = StepInto(*value, path);
    if (child == nullptr) break;
    value = child;
  }
  return *value;
}

// A rule broken by a spec that came from `document`: the same error with its place and full path.
absl::Status AddPlace(const absl::Status& error, const Value& document, std::string_view path) {
  const auto payload = error.GetPayload(kFieldPayloadUrl);
  const std::string field = payload.has_value() ? std::string(*payload) : "";
  const Value& value = Locate(document, field);
  const std::string prefix = path.empty() ? "" : StrCat(path, ".");
  const std::string place = value.line == 0 ? value.origin : StrCat(value.origin, ":", value.line);
  absl::Status status =
      absl::InvalidArgumentError(StrCat(place, ": ", prefix, std::string(error.message())));
  status.SetPayload(kFieldPayloadUrl, absl::Cord(StrCat(prefix, field)));
  return status;
}

}  // namespace

absl::StatusOr<ModelSpec> ReadModelSpec(const Value& document, std::string_view path) {
  ModelSpec spec;
  ObjectReader reader(document, std::string(path));
  ReadFields(reader, spec);
  TALLY_RETURN_IF_ERROR(reader.Finish());
  if (absl::Status status = ValidateModelSpec(spec); !status.ok()) {
    return AddPlace(status, document, path);
  }
  return spec;
}

absl::StatusOr<ModelSpec> ModelSpecFromJson(std::string_view json, std::string_view origin) {
  TALLY_ASSIGN_OR_RETURN(const Value document, text::ParseJson(json, origin));
  return ReadModelSpec(document);
}

absl::StatusOr<ModelSpec> ModelSpecFromYaml(std::string_view yaml, std::string_view origin) {
  TALLY_ASSIGN_OR_RETURN(const Value document, text::ParseYaml(yaml, origin));
  return ReadModelSpec(document);
}

}  // namespace tally
