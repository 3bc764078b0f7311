#include "tests/core/identity/runs.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/arithmetic/philox.h"
#include "core/checkpoint/checkpoint.h"
#include "core/learner/model_spec_reader.h"

namespace tally::test {
namespace {

// Sizes are chosen to leave remainders at every vector width. Digests were made by the scalar level
// on x86-64.
constexpr IdentityRun kRuns[] = {
    {"pocketnn_dfa",
     R"({algorithm: pocketnn, input: {shape: [101], type: uint8}, classes: 10, batch_size: 20,
         layers: [{units: 37}, {units: 23}, {units: 10}], schedule_steps: 60, seed: 7,
         learning_rate: [{from_step: 0, inverse: 1500}, {from_step: 40, inverse: 4000}],
         pocketnn: {target: 32, update_rounding: error_feedback}})",
     60, "06bcb71735edb532badfd69ee7e9e3dbd4d9d966222737311417bef640b5438c"},
    {"pocketnn_bp",
     R"({algorithm: pocketnn, input: {shape: [3, 17], type: int16}, classes: 7, batch_size: 12,
         preprocessing: {kind: calibrated, scope: element, calibration_samples: 50},
         layers: [{units: 33, activation: pocket_relu8}, {units: 19, activation: pocket_leaky_relu},
                  {units: 7, activation: pocket_tanh}], schedule_steps: 60, seed: 8,
         learning_rate: [{from_step: 0, inverse: 60000}],
         pocketnn: {training: bp, update_rounding: stochastic}})",
     60, "95c012ce58a092bb232a54d0ddc9ee11475a61062dfebbcd77b51b655562ec93"},
    // Outputs and deltas beyond 16 bits: the wide kernels.
    {"pocketnn_wide",
     R"({algorithm: pocketnn, input: {shape: [29], type: int8}, classes: 5, batch_size: 9,
         layers: [{units: 18, activation: rescale}, {units: 5, activation: as_is}],
         schedule_steps: 60, seed: 9, learning_rate: [{from_step: 0, inverse: 60000}],
         pocketnn: {training: bp, weight_limit: 1000}})",
     60, "ab35512d9361dc401a4cb6d652c97452fa4cdb7d8c3d18975ee07126a52070bd"},
    {"pocketnn_mnist_mlp", "pocketnn/mnist-mlp", 40,
     "df1fb612820e13865ea9a830db12fd440131e69ad2f1bfcf9654afe9f929c2a7"},
    {"niti_dense",
     R"({algorithm: niti, input: {shape: [101], type: uint8}, classes: 10, batch_size: 20,
         preprocessing: {kind: constants, mean: [64], deviation: [60]},
         layers: [{units: 37, activation: relu}, {units: 23, activation: relu},
                  {units: 10, activation: as_is}], schedule_steps: 60, seed: 10,
         learning_rate: [{from_step: 0, mu: 2}, {from_step: 40, mu: 0}]})",
     60, "031e0ab378f9200b9d5013c7433769c01d28c9e1220bf2a2656d0002192b6a45"},
    // Every kind of layer.
    {"niti_images",
     R"({algorithm: niti, input: {shape: [11, 9, 3], type: uint8}, classes: 6, batch_size: 14,
         preprocessing: {kind: calibrated, scope: channel, calibration_samples: 50},
         layers: [{kind: conv2d, units: 7, kernel: [3, 3], padding: [1, 1], activation: relu},
                  {kind: max_pool, kernel: [2, 2]},
                  {kind: conv2d, units: 18, kernel: [3, 2], activation: relu},
                  {kind: dropout, drop_permille: 200},
                  {units: 21, activation: relu}, {units: 6, activation: as_is}],
         schedule_steps: 60, seed: 11, learning_rate: [{from_step: 0, mu: 2}],
         augmentation: {crop_padding: 1, horizontal_flip: true}})",
     60, "6318055dc6bca3026a9b1b3c3a12deec8026c4b4c0aceb8f8812236c66bf96d3"},
    {"niti_momentum",
     R"({algorithm: niti, input: {shape: [11, 9, 3], type: uint8}, classes: 6, batch_size: 14,
         preprocessing: {kind: constants, scope: channel, mean: [64, 60, 70], deviation: [60, 55, 50]},
         layers: [{kind: conv2d, units: 7, kernel: [3, 3], padding: [1, 1], activation: relu},
                  {kind: max_pool, kernel: [2, 2]}, {kind: dropout, drop_permille: 200},
                  {units: 21, activation: relu}, {units: 6, activation: as_is}],
         schedule_steps: 60, seed: 12, learning_rate: [{from_step: 0, mu: -4}],
         niti: {weight_bits: 16, momentum_bits: 3, headroom_bits: 1, decay_bits: 11, softmax: fine}})",
     60, "f0301e636abe6b19d7245ee0e1e5834636038468695bace14166a924ae4389b6"},
};

struct Samples {
  std::vector<std::byte> bytes;
  std::vector<uint32_t> labels;
};

// A class is a pattern with a quarter of its bytes set; a row of it has one byte in eight redrawn,
// so that there is something to learn.
Samples Draw(const ModelSpec& spec, uint32_t rows) {
  constexpr uint32_t kLabels = 1, kRedrawn = 2, kRows = 3, kPatterns = 4;
  const uint64_t row_bytes = spec.RowBytes();
  UniformDraws labels(spec.seed, 0, kLabels);
  UniformDraws redrawn(spec.seed, 0, kRedrawn);
  UniformDraws of_rows(spec.seed, 0, kRows);
  UniformDraws of_patterns(spec.seed, 0, kPatterns);
  Samples samples;
  for (uint64_t r = 0; r < rows; ++r) {
    const uint32_t label = labels.At(r, spec.classes);
    samples.labels.push_back(label);
    for (uint64_t i = 0; i < row_bytes; ++i) {
      const uint64_t at = r * row_bytes + i;
      const uint32_t drawn = redrawn.At(at, 8) == 0 ? of_rows.At(at, 1024)
                                                    : of_patterns.At(label * row_bytes + i, 1024);
      samples.bytes.push_back(static_cast<std::byte>(drawn < 256 ? drawn : 0));
    }
  }
  return samples;
}

}  // namespace

std::span<const IdentityRun> IdentityRuns() { return kRuns; }

ModelSpec SpecOf(const IdentityRun& run) {
  const std::string_view text = run.spec;
  auto spec = text.starts_with("{") ? ModelSpecFromYaml(text, run.name) : ZooSpec(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *std::move(spec);
}

std::string RunDigest(const IdentityRun& run) {
  const ModelSpec spec = SpecOf(run);
  auto made = MakeLearner(spec);
  EXPECT_TRUE(made.ok()) << made.status();
  Learner& learner = **made;
  const uint32_t rows = 100 + spec.batch_size;
  const Samples samples = Draw(spec, rows);
  const std::span<const std::byte> bytes = samples.bytes;
  if (const uint32_t wanted = learner.calibration_samples_wanted(); wanted > 0) {
    learner.Calibrate({bytes.first(wanted * spec.RowBytes()), wanted});
  }
  std::string text;
  for (uint32_t step = 0; step < run.steps; ++step) {
    const uint32_t count = step % 5 == 4 ? 1 + step % spec.batch_size : spec.batch_size;
    const uint32_t first = step * 13 % 100;
    const StepReport report =
        learner.TrainStep({bytes.subspan(first * spec.RowBytes(), count * spec.RowBytes()), count},
                          std::span(samples.labels).subspan(first, count));
    text += std::to_string(report.loss) + " " + std::to_string(report.correct) + "\n";
  }
  std::vector<int32_t> scores(size_t{rows} * spec.classes);
  learner.MakePredictor()->Predict({bytes, rows}, scores);
  for (const int32_t score : scores) text += std::to_string(score) + " ";
  return Sha256Hex(text + StateDigest(learner));
}

}  // namespace tally::test
