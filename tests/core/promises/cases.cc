#include "tests/core/promises/cases.h"

#include <gtest/gtest.h>

#include <ostream>

#include "core/learner/model_spec_reader.h"
#include "tests/support/small_niti.h"

namespace tally::test {
namespace {

constexpr char kPocketNn[] = R"(algorithm: pocketnn
input: {shape: [3, 4]}
layers: [{units: 7}, {units: 5}, {units: 3}]
classes: 3
batch_size: 6
learning_rate: [{inverse: 200}, {from_step: 5, inverse: 35}, {from_step: 12, inverse: 700}]
schedule_steps: 100
seed: 42
)";

struct Variant {
  const char* name;
  void (*set)(ModelSpec& spec);
};

void Calibrated(ModelSpec& spec) {
  spec.preprocessing = {};
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.calibration_samples = 10;
}

// Outputs and deltas beyond 16 bits.
void WideOutputs(ModelSpec& spec, Activation activation) {
  for (LayerSpec& layer : spec.layers) layer.activation = activation;
  spec.pocketnn.weight_limit = 300;
  for (RatePoint& point : spec.learning_rate) point.inverse *= 100;
}

constexpr Variant kPocketNnVariants[] = {
    {"Plain", [](ModelSpec&) {}},
    {"Calibrated", Calibrated},
    {"ErrorFeedback",
     [](ModelSpec& spec) { spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback; }},
    {"Stochastic",
     [](ModelSpec& spec) { spec.pocketnn.update_rounding = UpdateRounding::kStochastic; }},
    {"Back", [](ModelSpec& spec) { spec.pocketnn.training = CreditAssignment::kBackPropagation; }},
    {"BackErrorFeedback",
     [](ModelSpec& spec) {
       spec.pocketnn.training = CreditAssignment::kBackPropagation;
       spec.pocketnn.update_rounding = UpdateRounding::kErrorFeedback;
     }},
    {"BackStochastic",
     [](ModelSpec& spec) {
       spec.pocketnn.training = CreditAssignment::kBackPropagation;
       spec.pocketnn.update_rounding = UpdateRounding::kStochastic;
     }},
    {"LeakyRelu", [](ModelSpec& spec) { WideOutputs(spec, Activation::kPocketLeakyRelu); }},
    {"Rescale", [](ModelSpec& spec) { WideOutputs(spec, Activation::kRescale); }},
    {"BackRescale",
     [](ModelSpec& spec) {
       WideOutputs(spec, Activation::kRescale);
       spec.pocketnn.training = CreditAssignment::kBackPropagation;
     }},
};

constexpr Variant kNitiVariants[] = {
    {"Plain", [](ModelSpec&) {}},
    {"Calibrated", Calibrated},
    {"FineWeightsAndDecay",
     [](ModelSpec& spec) {
       spec.niti.weight_bits = 16;
       spec.niti.decay_bits = 12;
     }},
    {"StochasticLoss",
     [](ModelSpec& spec) {
       spec.niti.loss_rounding = LossRounding::kStochastic;
       spec.niti.gradient_bits_min = 14;
     }},
    {"RangeMemory", [](ModelSpec& spec) { spec.niti.range_memory = 2; }},
    {"Momentum",
     [](ModelSpec& spec) {
       spec.niti.weight_bits = 16;
       spec.niti.momentum_bits = 3;
       spec.niti.headroom_bits = 1;
       spec.niti.decay_bits = 11;
       spec.niti.softmax = NitiSoftmax::kFine;
       for (RatePoint& point : spec.learning_rate) *point.mu -= 6;
     }},
    {"Reference",
     [](ModelSpec& spec) {
       spec.niti.profile = NitiProfile::kReference;
       spec.niti.loss_rounding = LossRounding::kHalfAwayFromZero;
     }},
};

ModelSpec FromYaml(const char* yaml) {
  const auto spec = ModelSpecFromYaml(yaml, "case");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

template <size_t kCount>
void Append(const std::string& network, const char* yaml, const Variant (&variants)[kCount],
            std::vector<LearnerCase>& cases) {
  for (const Variant& variant : variants) {
    cases.push_back({network + variant.name, FromYaml(yaml)});
    variant.set(cases.back().spec);
  }
}

}  // namespace

void PrintTo(const LearnerCase& learner, std::ostream* out) { *out << learner.name; }

std::vector<LearnerCase> LearnerCases() {
  std::vector<LearnerCase> cases;
  Append("PocketNn", kPocketNn, kPocketNnVariants, cases);
  Append("NitiDense", kNitiDense, kNitiVariants, cases);
  Append("NitiImages", kNitiImages, kNitiVariants, cases);
  cases.push_back({"NitiImagesWithoutDropout", FromYaml(kNitiImages)});
  std::erase_if(cases.back().spec.layers,
                [](const LayerSpec& layer) { return layer.kind == LayerKind::kDropout; });
  cases.push_back({"NitiImagesAugmented", FromYaml(kNitiImages)});
  cases.back().spec.augmentation = {.crop_padding = 2, .horizontal_flip = true};
  return cases;
}

}  // namespace tally::test
