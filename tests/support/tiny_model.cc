#include "tests/support/tiny_model.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <span>

#include "core/algorithms/algorithms.h"
#include "core/checkpoint/checkpoint.h"

namespace tally::testing {
namespace {

constexpr uint32_t kElements = 6;
constexpr uint32_t kClasses = 3;

// FNV-1a over the sample's name, then mixed: enough to look random, the same everywhere.
uint64_t Hash(const std::string& source, uint64_t sequence) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : source) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  for (int byte = 0; byte < 8; ++byte) {
    hash = (hash ^ ((sequence >> (8 * byte)) & 0xffu)) * 0x100000001b3u;
  }
  hash ^= hash >> 29;
  hash *= 0xbf58476d1ce4e5b9u;
  return hash ^ (hash >> 32);
}

void MakePocketNn(ModelSpec& spec) {
  spec.input.shape = {kElements};
  spec.layers = {{5, Activation::kPocketTanh},
                 {4, Activation::kPocketTanh},
                 {kClasses, Activation::kPocketTanh}};
  spec.learning_rate = {{0, 50}};
}

// Every kind of layer, draws that depend on the step, 16-bit weights and remembered ranges.
void MakeNiti(ModelSpec& spec) {
  spec.input.shape = {2, 3};
  if (spec.preprocessing.kind == PreprocessingKind::kNone) {
    spec.preprocessing.kind = PreprocessingKind::kConstants;
    spec.preprocessing.mean = {80};
    spec.preprocessing.deviation = {70};
  }
  spec.layers = {{.units = 4,
                  .activation = Activation::kRelu,
                  .kind = LayerKind::kConv2d,
                  .kernel = {2, 2},
                  .padding = {1, 1}},
                 {.kind = LayerKind::kMaxPool, .kernel = {1, 2}},
                 {.kind = LayerKind::kDropout, .drop_permille = 100},
                 {.units = kClasses, .activation = Activation::kAsIs}};
  spec.learning_rate = {{.from_step = 0, .mu = 7}};
  spec.niti.weight_bits = 16;
  spec.niti.loss_rounding = LossRounding::kStochastic;
  spec.niti.range_memory = 8;
}

}  // namespace

ModelSpec TinySpec(const std::string& algorithm, const std::string& name, uint32_t batch_size,
                   uint32_t calibration_samples) {
  ModelSpec spec;
  spec.name = name;
  spec.algorithm = algorithm;
  spec.input.type = ElementType::kUint8;
  if (calibration_samples > 0) {
    spec.preprocessing.kind = PreprocessingKind::kCalibrated;
    spec.preprocessing.calibration_samples = calibration_samples;
  }
  spec.classes = kClasses;
  spec.batch_size = batch_size;
  spec.schedule_steps = 1000;
  spec.seed = 7;
  if (algorithm == kPocketNnName) {
    MakePocketNn(spec);
  } else if (algorithm == kNitiName) {
    MakeNiti(spec);
  } else {
    std::cerr << algorithm << " has no tiny model\n";
    std::abort();
  }
  return spec;
}

ModelSpec TinySpec(const std::string& name, uint32_t batch_size, uint32_t calibration_samples) {
  return TinySpec(kPocketNnName, name, batch_size, calibration_samples);
}

std::string TinyRow(const std::string& source, uint64_t sequence) {
  const uint64_t bits = Hash(source, sequence);
  const uint32_t label = TinyLabel(source, sequence);
  std::string row(kElements, '\0');
  for (uint32_t i = 0; i < kElements; ++i) {
    // Brighter where the label says, so that there is something to learn.
    const uint64_t noise = (bits >> (8 * i)) & 0x3fu;
    row[i] = static_cast<char>(i / 2 == label ? 0xa0u + noise : noise);
  }
  return row;
}

uint32_t TinyLabel(const std::string& source, uint64_t sequence) {
  return static_cast<uint32_t>(Hash(source, sequence) >> 56) % kClasses;
}

storage::SamplesRecord TinyPacket(const std::string& source, uint64_t first_sequence,
                                  uint32_t count) {
  storage::SamplesRecord packet;
  packet.source = source;
  packet.first_sequence = first_sequence;
  for (uint64_t sequence = first_sequence; sequence < first_sequence + count; ++sequence) {
    packet.rows += TinyRow(source, sequence);
    packet.labels.push_back(TinyLabel(source, sequence));
  }
  return packet;
}

PlainTrainer::PlainTrainer(const ModelSpec& spec) : spec_(spec) {
  auto learner = MakeLearner(spec);
  if (!learner.ok()) {
    std::cerr << learner.status() << "\n";
    std::abort();
  }
  learner_ = *std::move(learner);
}

void PlainTrainer::Add(const std::string& row, uint32_t label) {
  rows_.push_back(row);
  labels_.push_back(label);
  if (const size_t wanted = learner_->calibration_samples_wanted(); wanted > 0) {
    if (rows_.size() < wanted) return;
    std::string all;
    for (const std::string& each : rows_) all += each;
    learner_->Calibrate({std::as_bytes(std::span<const char>(all)), wanted});
  }
  while (rows_.size() >= spec_.batch_size) TrainFirst(spec_.batch_size);
}

void PlainTrainer::Add(const storage::SamplesRecord& packet) {
  const size_t row_bytes = spec_.RowBytes();
  for (size_t i = 0; i < packet.labels.size(); ++i) {
    Add(packet.rows.substr(i * row_bytes, row_bytes), packet.labels[i]);
  }
}

void PlainTrainer::Flush() {
  if (!rows_.empty()) TrainFirst(rows_.size());
}

void PlainTrainer::TrainFirst(size_t count) {
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes += rows_[i];
  const std::vector<uint32_t> labels(labels_.begin(),
                                     labels_.begin() + static_cast<ptrdiff_t>(count));
  const StepReport report =
      learner_->TrainStep({std::as_bytes(std::span<const char>(bytes)), count}, labels);
  trained_ += count;
  correct_ += report.correct;
  rows_.erase(rows_.begin(), rows_.begin() + static_cast<ptrdiff_t>(count));
  labels_.erase(labels_.begin(), labels_.begin() + static_cast<ptrdiff_t>(count));
}

std::string PlainTrainer::Digest() { return StateDigest(*learner_); }

}  // namespace tally::testing
