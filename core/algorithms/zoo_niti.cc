// NITI's networks. Schedules count mini-batches of the training set named beside them;
// niti/README.md has how they were chosen.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/algorithms/zoo_entries.h"

namespace tally::zoo {
namespace {

LayerSpec Dense(uint32_t units, Activation activation = Activation::kRelu) {
  return {.units = units, .activation = activation};
}

LayerSpec Convolution(uint32_t units, Extent2d kernel, Extent2d padding = {}) {
  return {.units = units,
          .activation = Activation::kRelu,
          .kind = LayerKind::kConv2d,
          .kernel = kernel,
          .padding = padding};
}

LayerSpec Pool(Extent2d kernel) { return {.kind = LayerKind::kMaxPool, .kernel = kernel}; }

LayerSpec Dropout(uint32_t drop_permille) {
  return {.kind = LayerKind::kDropout, .drop_permille = drop_permille};
}

struct Phase {
  uint32_t epochs;
  int32_t mu;
};

// Phases of whole passes over `samples` samples.
void SetSchedule(ModelSpec& spec, uint64_t samples, const std::vector<Phase>& phases) {
  const uint64_t epoch_steps = (samples + spec.batch_size - 1) / spec.batch_size;
  for (const Phase& phase : phases) {
    spec.learning_rate.push_back({.from_step = spec.schedule_steps, .mu = phase.mu});
    spec.schedule_steps += phase.epochs * epoch_steps;
  }
}

ModelSpec Network(std::string name, std::vector<uint32_t> shape, std::vector<LayerSpec> layers) {
  ModelSpec spec;
  spec.name = std::move(name);
  spec.algorithm = kNitiName;
  spec.input.shape = std::move(shape);
  spec.layers = std::move(layers);
  spec.layers.back().activation = Activation::kAsIs;
  spec.classes = spec.layers.back().units;
  spec.batch_size = 64;
  return spec;
}

// The mean and the mean absolute deviation of the pixels of the first 25,000 training images.
void Standardise(ModelSpec& spec, int32_t mean, int32_t deviation) {
  spec.preprocessing.kind = PreprocessingKind::kConstants;
  spec.preprocessing.mean = {mean};
  spec.preprocessing.deviation = {deviation};
}

void Calibrate(ModelSpec& spec, uint32_t samples) {
  spec.preprocessing.kind = PreprocessingKind::kCalibrated;
  spec.preprocessing.scope = PreprocessingScope::kChannel;
  spec.preprocessing.calibration_samples = samples;
}

constexpr uint64_t kDigits = 60000;
constexpr uint64_t kPictures = 49914;
constexpr uint64_t kWindows = 1307;

ModelSpec Digits(std::string name, std::vector<LayerSpec> layers) {
  ModelSpec spec = Network(std::move(name), {28, 28}, std::move(layers));
  Standardise(spec, 34, 55);
  spec.labels = DigitLabels();
  return spec;
}

std::vector<LayerSpec> LenetLayers() {
  return {Convolution(20, {5, 5}),
          Pool({2, 2}),
          Convolution(50, {5, 5}),
          Pool({2, 2}),
          Dense(500),
          Dense(10)};
}

// Large steps first, then twelve passes down to small ones.
void SetMlpSchedule(ModelSpec& spec) {
  SetSchedule(spec, kDigits, {{3, 3}, {3, 2}, {2, 1}, {2, 0}, {2, -1}});
}

ModelSpec MnistMlp() {
  ModelSpec spec = Digits("mnist-mlp", {Dense(100), Dense(50), Dense(10)});
  SetMlpSchedule(spec);
  return spec;
}

// Single samples, each seen once, in the order they come.
ModelSpec MnistOnline() {
  ModelSpec spec = Digits("mnist-online", {Dense(100), Dense(50), Dense(10)});
  spec.batch_size = 1;
  spec.niti.range_memory = 64;
  spec.learning_rate = {
      {.from_step = 0, .mu = 4}, {.from_step = 30000, .mu = 3}, {.from_step = 45000, .mu = 2}};
  spec.schedule_steps = kDigits;
  return spec;
}

ModelSpec FashionMlp() {
  ModelSpec spec = Network("fashion-mlp", {28, 28}, {Dense(200), Dense(100), Dense(50), Dense(10)});
  Standardise(spec, 73, 81);
  spec.labels = ClothingLabels();
  SetMlpSchedule(spec);
  return spec;
}

ModelSpec Lenet() {
  ModelSpec spec = Digits("lenet", LenetLayers());
  SetSchedule(spec, kDigits, {{2, 3}, {2, 2}, {2, 1}, {2, 0}});
  return spec;
}

// What the golden values were taken from: a hundred mini-batches in file order.
ModelSpec Golden(ModelSpec spec) {
  spec.niti.profile = NitiProfile::kGolden;
  spec.learning_rate = {{.from_step = 0, .mu = 2}};
  spec.schedule_steps = 100;
  return spec;
}

ModelSpec GoldenMlp() { return Golden(Digits("golden-mlp", {Dense(100), Dense(50), Dense(10)})); }

ModelSpec GoldenLenet() { return Golden(Digits("golden-lenet", LenetLayers())); }

// `plan` has the output channels of 3 x 3 convolutions, and 0 for a pooling of 2 x 2.
ModelSpec Vgg(std::string name, const std::vector<uint32_t>& plan) {
  std::vector<LayerSpec> layers;
  for (const uint32_t units : plan) {
    layers.push_back(units == 0 ? Pool({2, 2}) : Convolution(units, {3, 3}, {1, 1}));
  }
  layers.push_back(Dense(10));
  ModelSpec spec = Network(std::move(name), {32, 32, 3}, std::move(layers));
  Calibrate(spec, 25000);
  spec.augmentation = {.crop_padding = 4, .horizontal_flip = true};
  spec.labels = {"airplane", "automobile", "bird",  "cat",  "deer",
                 "dog",      "frog",       "horse", "ship", "truck"};
  return spec;
}

// Descent with momentum 7/8, rates from 2^-5 down to 2^-10 and a decay of 2^-11.
ModelSpec VggTiny() {
  ModelSpec spec = Vgg("vgg-tiny", {16, 16, 0, 32, 32, 0, 64, 64, 0});
  spec.niti.weight_bits = 16;
  spec.niti.headroom_bits = 1;
  spec.niti.momentum_bits = 3;
  spec.niti.decay_bits = 11;
  spec.niti.softmax = NitiSoftmax::kFine;
  SetSchedule(spec, kPictures, {{4, -5}, {3, -6}, {2, -8}, {1, -10}});
  return spec;
}

// The published schedule: 200 passes, mini-batches of 256, dropout before the last layer.
ModelSpec VggSmall(std::string name, const std::vector<uint32_t>& plan) {
  ModelSpec spec = Vgg(std::move(name), plan);
  spec.layers.insert(spec.layers.end() - 1, Dropout(500));
  spec.batch_size = 256;
  SetSchedule(spec, kPictures, {{100, 5}, {50, 4}, {50, 3}});
  return spec;
}

ModelSpec VggSmall7() { return VggSmall("vgg-small-7", {128, 128, 0, 256, 256, 0, 512, 512, 0}); }
ModelSpec VggSmall8() {
  return VggSmall("vgg-small-8", {128, 128, 128, 0, 256, 256, 0, 512, 512, 0});
}
ModelSpec VggSmall9() {
  return VggSmall("vgg-small-9", {128, 128, 128, 0, 256, 256, 256, 0, 512, 512, 0});
}

// Windows of 128 instants with 9 channels.
ModelSpec Motion(std::string name, std::vector<LayerSpec> layers) {
  ModelSpec spec = Network(std::move(name), {128, 1, 9}, std::move(layers));
  spec.input.type = ElementType::kInt16;
  Calibrate(spec, 900);  // some are held out
  spec.labels = {"walking", "upstairs", "downstairs", "sitting", "standing", "laying"};
  spec.batch_size = 20;
  return spec;
}

// What four people do says little about a fifth: large steps and dropout keep the network from
// learning them by heart.
ModelSpec Har() {
  ModelSpec spec = Motion("har", {Dense(100), Dropout(400), Dense(50), Dense(6)});
  SetSchedule(spec, kWindows, {{20, 4}, {10, 3}, {10, 2}});
  return spec;
}
ModelSpec HarConv() {
  ModelSpec spec =
      Motion("har-conv", {Convolution(32, {5, 1}), Pool({2, 1}), Convolution(64, {5, 1}),
                          Pool({2, 1}), Dense(100), Dense(6)});
  SetSchedule(spec, kWindows, {{20, 1}, {10, 0}, {10, -1}});
  return spec;
}

constexpr Entry kEntries[] = {
    {"niti/fashion-mlp", FashionMlp}, {"niti/golden-lenet", GoldenLenet},
    {"niti/golden-mlp", GoldenMlp},   {"niti/har", Har},
    {"niti/har-conv", HarConv},       {"niti/lenet", Lenet},
    {"niti/mnist-mlp", MnistMlp},     {"niti/mnist-online", MnistOnline},
    {"niti/vgg-small-7", VggSmall7},  {"niti/vgg-small-8", VggSmall8},
    {"niti/vgg-small-9", VggSmall9},  {"niti/vgg-tiny", VggTiny},
};

}  // namespace

std::span<const Entry> NitiEntries() { return kEntries; }

}  // namespace tally::zoo
