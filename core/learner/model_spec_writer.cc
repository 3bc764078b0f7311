// ModelSpec to text. The bytes of CanonicalSpec enter every state digest: see the contract before
// any change here; tests/core/learner pins them.

#include "core/arithmetic/check.h"
#include "core/learner/model_spec_names.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/strings.h"
#include "core/text/value.h"

namespace tally {
namespace {

using text::JsonQuote;
using text::StrAppend;
using text::StrCat;

template <typename Items, typename Show>
std::string JsonList(const Items& items, Show show) {
  std::string out = "[";
  for (const auto& item : items) StrAppend(&out, out.size() > 1 ? "," : "", show(item));
  out += "]";
  return out;
}

template <typename Integers>
std::string IntegerList(const Integers& integers) {
  return JsonList(integers, [](auto integer) { return StrCat(integer); });
}

template <typename E>
std::string Word(const std::vector<std::string_view>& names, E value) {
  return JsonQuote(spec_names::NameOf(names, value));
}

std::string ExtentText(const Extent2d& extent) {
  return StrCat("[", extent.height, ",", extent.width, "]");
}

// A layer has the keys that its kind gives a meaning; "kind" itself is left out of dense ones.
std::string LayerText(const LayerSpec& layer) {
  const std::string activation =
      StrCat("\"activation\":", Word(spec_names::kActivations, layer.activation));
  const std::string kind = StrCat("\"kind\":", Word(spec_names::kLayerKinds, layer.kind));
  const std::string kernel = StrCat("\"kernel\":", ExtentText(layer.kernel));
  switch (layer.kind) {
    case LayerKind::kDense:
      return StrCat("{", activation, ",\"units\":", layer.units, "}");
    case LayerKind::kConv2d:
      return StrCat("{", activation, ",", kernel, ",", kind,
                    ",\"padding\":", ExtentText(layer.padding), ",\"units\":", layer.units, "}");
    case LayerKind::kMaxPool:
      return StrCat("{", kernel, ",", kind, "}");
    case LayerKind::kDropout:
      return StrCat("{\"drop_permille\":", layer.drop_permille, ",", kind, "}");
  }
  TALLY_CHECK(false);
}

std::string RatePointText(const RatePoint& point) {
  return StrCat(
      "{\"from_step\":", point.from_step,
      point.mu.has_value() ? StrCat(",\"mu\":", *point.mu) : StrCat(",\"inverse\":", point.inverse),
      "}");
}

// Options younger than the first specs are written where they differ from their default, 0.
std::string NitiText(const NitiSpec& niti) {
  const auto unless_zero = [](std::string_view name, uint32_t value) {
    return value == 0 ? "" : StrCat(",\"", name, "\":", value);
  };
  const std::string softmax =
      niti.softmax == NitiSoftmax()
          ? ""
          : StrCat(",\"softmax\":", Word(spec_names::kNitiSoftmaxes, niti.softmax));
  return StrCat("{\"decay_bits\":", niti.decay_bits,
                ",\"gradient_bits_min\":", niti.gradient_bits_min,
                unless_zero("headroom_bits", niti.headroom_bits),
                ",\"loss_rounding\":", Word(spec_names::kLossRoundings, niti.loss_rounding),
                unless_zero("momentum_bits", niti.momentum_bits),
                ",\"profile\":", Word(spec_names::kNitiProfiles, niti.profile),
                unless_zero("range_memory", niti.range_memory), softmax,
                ",\"weight_bits\":", niti.weight_bits, "}");
}

std::string AugmentationText(const AugmentationSpec& augmentation) {
  return StrCat("{\"crop_padding\":", augmentation.crop_padding,
                ",\"horizontal_flip\":", augmentation.horizontal_flip ? "true" : "false", "}");
}

std::string PocketNnText(const PocketNnSpec& pocketnn) {
  return StrCat(
      "{\"profile\":", Word(spec_names::kProfiles, pocketnn.profile),
      ",\"target\":", pocketnn.target,
      ",\"training\":", Word(spec_names::kTrainings, pocketnn.training),
      ",\"update_rounding\":", Word(spec_names::kUpdateRoundings, pocketnn.update_rounding),
      ",\"weight_limit\":", pocketnn.weight_limit, "}");
}

std::string PreprocessingText(const PreprocessingSpec& preprocessing) {
  return StrCat("{\"calibration_samples\":", preprocessing.calibration_samples,
                ",\"deviation\":", IntegerList(preprocessing.deviation),
                ",\"kind\":", Word(spec_names::kPreprocessingKinds, preprocessing.kind),
                ",\"mean\":", IntegerList(preprocessing.mean),
                ",\"scope\":", Word(spec_names::kPreprocessingScopes, preprocessing.scope),
                ",\"unit\":", preprocessing.unit, "}");
}

// Breaks compact JSON into lines: one a key of the outer map, one an item in lists of maps.
std::string BreakLines(std::string_view json) {
  std::string out;
  bool in_string = false;
  std::vector<bool> broken;  // for each open bracket: do its items start lines of their own?
  const auto new_line = [&] { out += "\n" + std::string(2 * broken.size(), ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      in_string = c != '"';
      continue;
    }
    if (c == '}' || c == ']') {
      const bool lines = broken.back();
      broken.pop_back();
      if (lines) new_line();
    }
    out += c;
    in_string = c == '"';
    if (c == ':') out += ' ';
    if (c == '{' || c == '[') {
      broken.push_back(broken.empty() || (c == '[' && json[i + 1] == '{'));
      if (broken.back()) new_line();
    }
    if (c == ',') {
      if (broken.back()) {
        new_line();
      } else {
        out += ' ';
      }
    }
  }
  return out;
}

}  // namespace

std::string CanonicalSpec(const ModelSpec& spec) {
  std::string out = "{";
  StrAppend(&out, "\"algorithm\":", JsonQuote(spec.algorithm));
  if (spec.augmentation != AugmentationSpec()) {
    StrAppend(&out, ",\"augmentation\":", AugmentationText(spec.augmentation));
  }
  StrAppend(&out, ",\"batch_size\":", spec.batch_size);
  StrAppend(&out, ",\"classes\":", spec.classes);
  StrAppend(&out, ",\"input\":{\"shape\":", IntegerList(spec.input.shape),
            ",\"type\":", Word(spec_names::kElementTypes, spec.input.type), "}");
  StrAppend(&out, ",\"labels\":", JsonList(spec.labels, [](const std::string& label) {
    return JsonQuote(label);
  }));
  StrAppend(&out, ",\"layers\":", JsonList(spec.layers, LayerText));
  StrAppend(&out, ",\"learning_rate\":", JsonList(spec.learning_rate, RatePointText));
  if (spec.algorithm == kNitiName) {
    StrAppend(&out, ",\"niti\":", NitiText(spec.niti));
  } else {
    StrAppend(&out, ",\"pocketnn\":", PocketNnText(spec.pocketnn));
  }
  StrAppend(&out, ",\"preprocessing\":", PreprocessingText(spec.preprocessing));
  StrAppend(&out, ",\"schedule_steps\":", spec.schedule_steps);
  StrAppend(&out, ",\"seed\":", spec.seed, "}");
  return out;
}

std::string PrettySpec(const ModelSpec& spec) {
  return BreakLines(StrCat("{\"name\":", JsonQuote(spec.name), ",", CanonicalSpec(spec).substr(1)));
}

}  // namespace tally
