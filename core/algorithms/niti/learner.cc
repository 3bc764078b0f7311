// Construction and the mini-batch step; update.cc has what becomes of gradients, state.cc what is
// stored.

#include "core/algorithms/niti/learner.h"

#include <algorithm>

#include "core/algorithms/niti/bounds.h"
#include "core/algorithms/niti/initialise.h"
#include "core/algorithms/niti/loss.h"
#include "core/algorithms/niti/narrow.h"
#include "core/algorithms/niti/predictor.h"
#include "core/algorithms/niti/range.h"
#include "core/arithmetic/check.h"
#include "core/arithmetic/philox.h"
#include "core/kernels/elementwise.h"

namespace tally::niti {
namespace {

void Mask(std::span<const int8_t> mask, MatrixView<int8_t> rows) {
  for (size_t r = 0; r < rows.rows; ++r) {
    int8_t* row = rows.Row(r);
    for (size_t i = 0; i < rows.columns; ++i) row[i] &= mask[i];
  }
}

}  // namespace

NitiLearner::NitiLearner(const ModelSpec& spec, const LearnerOptions& options)
    : spec_(spec),
      options_(options),
      wraps_(spec.niti.profile == NitiProfile::kReference),
      network_(spec),
      augmentation_(spec),
      input_(Shape({spec.batch_size, spec.InputElements()})),
      gradients_(Shape({spec.batch_size, spec.classes})),
      predictions_(spec.batch_size),
      shared_(2),
      error_rows_(Shape({spec.batch_size, spec.classes})) {
  parts_.resize(PartsMax(spec, ThreadsOf(options.environment.workers)));
  size_t sums = 0;
  size_t widest = 0;
  size_t kernel_scratch = 0;
  const std::vector<LayerShape> shapes = LayerShapes(spec);
  training_.reserve(network_.stages.size());
  for (size_t s = 0; s < network_.stages.size(); ++s) {
    Stage& stage = network_.stages[s];
    InitialiseWeights(spec, s + 1, stage);
    training_.push_back(MakeStageTraining(stage));
    widest = std::max(widest, stage.sum_elements());
    kernel_scratch =
        std::max(kernel_scratch, ScratchElements(spec.layers[stage.layer], shapes[stage.layer]));
    sums = std::max({sums, stage.sum_elements(), s == 0 ? 0 : stage.in_elements});
  }
  sums_ = Tensor<int32_t>(Shape({spec.batch_size, sums}));
  for (Tensor<int8_t>& scratch : scratch_) {
    scratch = Tensor<int8_t>(Shape({spec.batch_size, widest}));
  }
  for (Part& part : parts_) {
    if (kernel_scratch > 0) part.kernel_scratch = Tensor<int16_t>(Shape({kernel_scratch}));
  }
  StartFineWeights();
}

NitiLearner::StageTraining NitiLearner::MakeStageTraining(const Stage& stage) const {
  const size_t batch = spec_.batch_size;
  StageTraining training;
  const LayerShape shape = LayerShapes(spec_)[stage.layer];
  const bool wide = options_.always_wide || options_.environment.collective != nullptr ||
                    NeedsWideSums(spec_, shape);
  for (size_t p = 0; p < parts_.size(); ++p) {
    if (wide) {
      training.wide_sums.emplace_back(stage.fan_in, stage.units);
    } else {
      training.narrow_sums.emplace_back(stage.fan_in, stage.units);
    }
  }
  training.output = Tensor<int8_t>(Shape({batch, stage.out_elements}));
  for (const Follower& follower : stage.followers) {
    if (follower.kind == LayerKind::kMaxPool) {
      training.places.emplace_back(Shape({batch, follower.out_elements}));
    } else {
      training.masks.emplace_back(Shape({follower.out_elements}));
      training.masks_exponent += follower.exponent;
    }
  }
  if (spec_.niti.momentum_bits != 0) {
    training.velocity = kernels::PanelSums<int32_t>(stage.fan_in, stage.units);
  }
  return training;
}

uint32_t NitiLearner::calibration_samples_wanted() const {
  return network_.input.calibration_samples_wanted();
}

void NitiLearner::Calibrate(const RowBatch& rows) {
  std::vector<int16_t> row(spec_.InputElements());
  network_.input.Calibrate(rows, row);
}

std::unique_ptr<const Predictor> NitiLearner::MakePredictor() const {
  return std::make_unique<NitiPredictor>(spec_, network_);
}

std::vector<LayerCounters> NitiLearner::Counters() const {
  std::vector<LayerCounters> counters(spec_.layers.size());
  for (size_t s = 0; s < training_.size(); ++s) {
    counters[network_.stages[s].layer].wide_steps = training_[s].wide_steps;
  }
  return counters;
}

StepReport NitiLearner::TrainStep(const RowBatch& rows, std::span<const uint32_t> labels) {
  TALLY_CHECK(rows.rows > 0 && rows.rows <= spec_.batch_size && labels.size() == rows.rows);
  if (options_.environment.collective != nullptr)
    first_row_ = options_.environment.collective->RowsBefore(rows.rows);
  network_.input.ReadInt8(augmentation_.Apply(rows, step_, first_row_),
                          input_.matrix().FirstRows(rows.rows));
  CutRows(rows.rows);
  Forward();
  StepReport report = ComputeLoss(rows.rows, labels);
  Backward();
  if (options_.environment.collective != nullptr) {
    shared_ = {report.loss, static_cast<int64_t>(report.correct)};
    options_.environment.collective->Sum(shared_);
    report.loss = shared_[0];
    report.correct = static_cast<uint64_t>(shared_[1]);
  }
  ++step_;
  return report;
}

MatrixView<const int8_t> NitiLearner::StageInput(size_t stage, const Part& part) const {
  const Tensor<int8_t>& input = stage == 0 ? input_ : training_[stage - 1].output;
  return input.matrix().SomeRows(part.first, part.rows);
}

MatrixView<int8_t> NitiLearner::Scratch(size_t array, const Part& part, size_t columns) {
  // Each part begins at the widest row's place, so that parts never meet, whatever the columns.
  return {scratch_[array].matrix().Row(part.first), part.rows, columns};
}

MatrixView<int8_t> NitiLearner::Buffer(size_t stage, size_t pools_done, const Part& part,
                                       size_t columns) {
  if (pools_done < training_[stage].places.size()) return Scratch(pools_done % 2, part, columns);
  return training_[stage].output.matrix().SomeRows(part.first, part.rows);
}

void NitiLearner::Forward() {
  int32_t exponent = kInputExponent;
  for (size_t s = 0; s < network_.stages.size(); ++s) {
    const Stage& stage = network_.stages[s];
    StageTraining& training = training_[s];
    const auto sums_of = [&](const Part& part) {
      return MatrixView<int32_t>{sums_.data() + part.first * stage.sum_elements(),
                                 part.rows * stage.positions, stage.units};
    };
    ForEachPart([&](Part& part) {
      const MatrixView<int32_t> z = sums_of(part);
      uint64_t max = 0;
      const auto find_max = [&](size_t first, size_t count) {
        const std::span<const int32_t> done = {z.Row(first), count * stage.units};
        max = std::max<uint64_t>(max, kernels::MaxMagnitude(done));
      };
      stage.Multiply(StageInput(s, part), z, find_max, part.kernel_scratch.elements());
      part.max = max;
    });
    training.trace.sum_max = SharedMax();
    training.trace.forward_shift = RequantisationShift(training.trace.sum_max);
    DrawMasks(s);
    exponent += stage.exponent + training.trace.forward_shift + training.masks_exponent;
    training.trace.output_exponent = exponent;
    ForEachPart([&](Part& part) {
      Narrow(sums_of(part).elements(),
             {.shift = training.trace.forward_shift, .relu = stage.relu, .wraps = wraps_},
             Buffer(s, 0, part, stage.sum_elements()).elements());
      RunFollowers(s, part);
    });
  }
}

void NitiLearner::DrawMasks(size_t s) {
  size_t masks = 0;
  for (const Follower& follower : network_.stages[s].followers) {
    if (follower.kind != LayerKind::kDropout) continue;
    Tensor<int8_t>& mask = training_[s].masks[masks++];
    UniformDraws draws(spec_.seed, step_, TensorId(follower.layer, TensorUse::kDropout));
    for (size_t i = 0; i < mask.size(); ++i) {
      mask[i] = draws.At(i, 1000) < follower.drop_permille ? int8_t{0} : int8_t{-1};
    }
  }
}

void NitiLearner::RunFollowers(size_t s, const Part& part) {
  StageTraining& training = training_[s];
  size_t pools = 0;
  size_t masks = 0;
  for (const Follower& follower : network_.stages[s].followers) {
    const MatrixView<int8_t> in = Buffer(s, pools, part, follower.in_elements);
    if (follower.kind == LayerKind::kDropout) {
      Mask(training.masks[masks++].elements(), in);
      continue;
    }
    Tensor<uint8_t>& places = training.places[pools++];
    kernels::MaxPool(in, follower.pool, Buffer(s, pools, part, follower.out_elements),
                     places.matrix().SomeRows(part.first, part.rows));
  }
}

StepReport NitiLearner::ComputeLoss(size_t rows, std::span<const uint32_t> labels) {
  const StageTraining& last = training_.back();
  const size_t classes = spec_.classes;
  StepReport report;
  logits_ = last.output.elements().first(rows * classes);
  for (size_t r = 0; r < rows; ++r) {
    const std::span<const int8_t> o = logits_.subspan(r * classes, classes);
    const auto best = static_cast<uint32_t>(std::max_element(o.begin(), o.end()) - o.begin());
    predictions_[r] = best;
    report.correct += best == labels[r] ? 1u : 0u;
    report.loss += CrossEntropyGradient(spec_.niti.softmax, o, last.trace.output_exponent,
                                        labels[r], {gradients_.matrix().Row(r), classes});
  }
  UniformDraws draws(spec_.seed, step_, TensorId(0, TensorUse::kLoss));
  RoundErrors(gradients_.elements().first(rows * classes), spec_.niti.loss_rounding, draws,
              first_row_ * classes, error_rows_.elements().first(rows * classes));
  errors_ = error_rows_.elements().first(rows * classes);
  report.predictions = std::span(predictions_).first(rows);
  return report;
}

void NitiLearner::Backward() {
  for (size_t p = 0; p < parts_used_; ++p) {
    parts_[p].d = error_rows_.matrix().SomeRows(parts_[p].first, parts_[p].rows);
    parts_[p].free = 0;
  }
  error_exponent_ = 0;
  error_unit_ = kErrorExponent;
  for (size_t s = network_.stages.size(); s-- > 0;) {
    // Weights move when the errors have passed them.
    ForEachPart([&](Part& part) {
      const Stage& stage = network_.stages[s];
      const size_t index = IndexOf(part);
      StageTraining& training = training_[s];
      // Rows of activations as rows of positions.
      part.d = {part.d.data, part.rows * stage.positions, stage.units};
      if (training.wide_sums.empty()) {
        stage.Gradient(StageInput(s, part), part.d, training.narrow_sums[index]);
      } else {
        stage.Gradient(StageInput(s, part), part.d, training.wide_sums[index]);
      }
    });
    if (s > 0) PassBack(s);
    UpdateStage(s);
    if (s == 0) break;
    error_exponent_ += training_[s].trace.error_shift;
    error_unit_ += training_[s].trace.error_shift + network_.stages[s].exponent +
                   training_[s - 1].masks_exponent;
  }
}

void NitiLearner::PassBack(size_t s) {
  const Stage& stage = network_.stages[s];
  StageTraining& training = training_[s];
  const auto errors_of = [&](const Part& part) {
    return MatrixView<int32_t>{sums_.data() + part.first * stage.in_elements, part.rows,
                               stage.in_elements};
  };
  ForEachPart([&](Part& part) {
    const MatrixView<int32_t> e = errors_of(part);
    stage.PassBack(part.d, e, part.kernel_scratch.elements());
    part.max = kernels::MaxMagnitude(std::span<const int32_t>(e.elements()));
  });
  training.trace.error_max = SharedMax();
  training.trace.error_shift = RequantisationShift(training.trace.error_max);
  // What a ReLU below gave out tells through which elements errors pass.
  const bool gated = network_.stages[s - 1].relu;
  ForEachPart([&](Part& part) {
    Narrowing how = {.shift = training.trace.error_shift, .wraps = wraps_};
    if (gated) how.gates = StageInput(s, part).elements();
    const MatrixView<int8_t> out = Scratch(part.free, part, stage.in_elements);
    Narrow(errors_of(part).elements(), how, out.elements());
    part.d = out;
    part.free = 1 - part.free;
    PassBackFollowers(s - 1, part);
  });
}

void NitiLearner::PassBackFollowers(size_t s, Part& part) {
  const Stage& stage = network_.stages[s];
  StageTraining& training = training_[s];
  size_t pools = training.places.size();
  size_t masks = training.masks.size();
  for (size_t f = stage.followers.size(); f-- > 0;) {
    const Follower& follower = stage.followers[f];
    const MatrixView<int8_t> d = Scratch(1 - part.free, part, follower.out_elements);
    if (follower.kind == LayerKind::kDropout) {
      Mask(training.masks[--masks].elements(), d);
      continue;
    }
    const MatrixView<int8_t> in = Scratch(part.free, part, follower.in_elements);
    kernels::MaxPoolError(d, training.places[--pools].matrix().SomeRows(part.first, part.rows),
                          follower.pool, in);
    part.d = in;
    part.free = 1 - part.free;
  }
}

uint64_t NitiLearner::Bytes(const ModelSpec& spec, size_t threads) {
  const uint64_t batch = spec.batch_size;
  const uint64_t parts = PartsMax(spec, threads);
  // Names, labels and other small blocks.
  constexpr uint64_t kSmallBlocks = 16384;
  uint64_t bytes = kSmallBlocks + sizeof(NitiLearner);
  bytes += spec.labels.size() * (sizeof(std::string) + 128);
  uint64_t sums = 0;
  uint64_t widest = 0;
  uint64_t kernel_scratch = 0;
  const std::vector<LayerShape> shapes = LayerShapes(spec);
  for (size_t l = 0; l < shapes.size(); ++l) {
    const LayerShape& shape = shapes[l];
    const uint64_t out = shape.out.elements();
    const bool ends_stage = l + 1 == shapes.size() || shapes[l + 1].fan_in != 0;
    bytes += sizeof(LayerSpec) + sizeof(Stage) + sizeof(StageTraining) + sizeof(Follower);
    if (ends_stage) bytes += batch * out;
    if (spec.layers[l].kind == LayerKind::kMaxPool) bytes += batch * out;
    if (spec.layers[l].kind == LayerKind::kDropout) bytes += out;
    if (shape.fan_in == 0) continue;
    kernel_scratch = std::max<uint64_t>(kernel_scratch, ScratchElements(spec.layers[l], shape));
    const uint64_t units = shape.out.channels;
    const uint64_t sum_count = kernels::PanelSums<int8_t>::Bytes(shape.fan_in, units);
    bytes += kernels::PackedMatrix<int8_t>::Bytes(shape.fan_in, units);
    bytes += parts * sum_count * (NeedsWideSums(spec, shape) ? sizeof(int64_t) : sizeof(int32_t));
    if (spec.niti.weight_bits == 16) bytes += sum_count * sizeof(int16_t);
    if (spec.niti.momentum_bits != 0) bytes += sum_count * sizeof(int32_t);
    widest = std::max(widest, out);
    sums = std::max({sums, out, l == 0 ? 0 : shape.in.elements()});
  }
  bytes += batch * (sums * sizeof(int32_t) + 2 * widest);
  bytes += parts * (kernel_scratch * sizeof(int16_t) + sizeof(Part));
  bytes += InputStage::Bytes(spec) + Augmentation::Bytes(spec);
  // Inputs; gradients and errors of the loss, and predictions.
  bytes += batch * (spec.InputElements() + spec.classes * (sizeof(int32_t) + 1) + sizeof(uint32_t));
  return bytes;
}

}  // namespace tally::niti
