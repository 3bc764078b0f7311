// The way of rows forward through the network, and of their errors back. Everything here may run
// for several parts of a mini-batch at a time: it reads weights, and writes to its own rows.

#include <algorithm>

#include "core/algorithms/pocketnn/initialise.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/packed_product.h"

namespace tally::pocketnn {
namespace {

int64_t WantedOutput(const ModelSpec& spec, uint32_t label, uint32_t output_class) {
  return output_class == label ? spec.pocketnn.target : 0;
}

// Rows of the target may be longer.
template <class From, class To>
void CopyRows(MatrixView<const From> from, MatrixView<To> to) {
  for (size_t r = 0; r < from.rows; ++r) std::copy_n(from.Row(r), from.columns, to.Row(r));
}

}  // namespace

void PocketNnLearner::TrainRows(const RowBatch& rows, std::span<const uint32_t> labels,
                                RowPart& part) {
  Forward(rows, part);
  CompareOutputs(labels.subspan(part.rows.first, part.rows.count), part);
  // The published program goes layer by layer: under back-propagation a layer sees the weights
  // above it as they are after their update. It has all rows in one part.
  const bool layer_by_layer = spec_.pocketnn.profile == PocketNnProfile::kReference;
  for (size_t l = training_.size(); l-- > 0;) {
    ComputeDelta(l, part);
    if (layer_by_layer) {
      JoinLayer(l, std::span(&part, 1));
      UpdateLayer(l, part.rows.count);
    }
  }
}

void PocketNnLearner::Forward(const RowBatch& rows, RowPart& part) {
  const RowRange range = part.rows;
  const size_t row_bytes = spec_.RowBytes();
  network_.input.Read(
      {rows.bytes.subspan(range.first * row_bytes, range.count * row_bytes), range.count},
      input_rows_.matrix().SomeRows(range.first, range.count));
  for (size_t l = 0; l < training_.size(); ++l) {
    const ConstRows x = Inputs(l, range);
    part.layers[l].input_magnitude_max = x.is_wide() ? kernels::MaxMagnitude(x.wide.elements())
                                                     : kernels::MaxMagnitude(x.narrow.elements());
    part.layers[l].saturated = network_.layers[l].Forward(
        x, sums_, range.first, Outputs(l, range),
        training_[l].slope_codes.matrix().SomeRows(range.first, range.count), options_.always_wide);
  }
}

void PocketNnLearner::CompareOutputs(std::span<const uint32_t> labels, RowPart& part) {
  const Rows outputs = Outputs(training_.size() - 1, part.rows);
  if (outputs.is_wide()) {
    part.report =
        Compare<int64_t, int64_t>(outputs.wide, part.rows, labels, error_.rows64(part.rows));
    part.error = error_.Settle64(part.rows, options_.always_wide);
  } else {
    part.report =
        Compare<int16_t, int32_t>(outputs.narrow, part.rows, labels, error_.rows32(part.rows));
    part.error = error_.Settle32(part.rows, options_.always_wide);
  }
}

template <class Output, class Error>
StepReport PocketNnLearner::Compare(MatrixView<const Output> outputs, RowRange rows,
                                    std::span<const uint32_t> labels, MatrixView<Error> errors) {
  StepReport report;
  for (size_t r = 0; r < outputs.rows; ++r) {
    TALLY_CHECK(labels[r] < spec_.classes);
    const Output* output = outputs.Row(r);
    // Scores saturate as they do in prediction, so that both choose the same class.
    uint32_t best = 0;
    for (uint32_t c = 0; c < spec_.classes; ++c) {
      if (SaturateToInt32(output[c]) > SaturateToInt32(output[best])) best = c;
      errors.Row(r)[c] = Error{output[c]} - static_cast<Error>(WantedOutput(spec_, labels[r], c));
    }
    predictions_[rows.first + r] = best;
    report.correct += best == labels[r] ? 1u : 0u;
    report.loss += RowLoss(std::span<const Error>(errors.Row(r), spec_.classes));
  }
  return report;
}

void PocketNnLearner::ComputeDelta(size_t layer, RowPart& part) {
  LayerTraining& training = training_[layer];
  const RowRange range = part.rows;
  const size_t units = network_.layers[layer].units;
  const MatrixView<uint8_t> slopes =
      training.slope_codes.matrix().SomeRows(range.first, range.count);
  if (Blame(layer, part)) {
    const MatrixView<int32_t> delta = training.delta.rows32(range);
    for (size_t r = 0; r < range.count; ++r) {
      kernels::DivideBySlopes({slopes.Row(r), units}, {delta.Row(r), units});
    }
    part.layers[layer].delta = training.delta.Settle32(range, options_.always_wide);
  } else {
    const MatrixView<int64_t> delta = training.delta.rows64(range);
    for (size_t r = 0; r < range.count; ++r) {
      kernels::DivideBySlopes({slopes.Row(r), units}, {delta.Row(r), units});
    }
    part.layers[layer].delta = training.delta.Settle64(range, options_.always_wide);
  }
}

bool PocketNnLearner::Blame(size_t layer, const RowPart& part) {
  LayerTraining& training = training_[layer];
  DeltaRows& delta = training.delta;
  const bool is_last = layer + 1 == training_.size();
  if (!is_last && !HasFeedback(spec_, layer)) return BlameByBackPropagation(layer, part);
  const ConstRows error = error_.rows(part.rows, part.error);
  if (is_last) {
    if (error.is_wide()) {
      CopyRows(error.wide, delta.rows64(part.rows));
    } else {
      CopyRows(error.narrow, delta.rows32(part.rows));
    }
    return !error.is_wide();
  }
  if (!options_.always_wide && ProductFitsInt32(error, FeedbackMagnitude(spec_, layer), 0)) {
    kernels::Multiply(error.narrow, training.feedback, delta.rows32(part.rows));
    return true;
  }
  if (error.is_wide()) {
    kernels::WideMultiply(error.wide, training.feedback, delta.rows64(part.rows));
  } else {
    kernels::WideMultiply(error.narrow, training.feedback, delta.rows64(part.rows));
  }
  return false;
}

bool PocketNnLearner::BlameByBackPropagation(size_t layer, const RowPart& part) {
  DeltaRows& delta = training_[layer].delta;
  const DenseLayer& above = network_.layers[layer + 1];
  const ConstRows blame = training_[layer + 1].delta.rows(part.rows, part.layers[layer + 1].delta);
  if (!options_.always_wide && ProductFitsInt32(blame, above.weight_magnitude, 0)) {
    kernels::MultiplyTransposed(blame.narrow, above.weights, delta.rows32(part.rows));
    return true;
  }
  if (blame.is_wide()) {
    kernels::WideMultiplyTransposed(blame.wide, above.weights, delta.rows64(part.rows));
  } else {
    kernels::WideMultiplyTransposed(blame.narrow, above.weights, delta.rows64(part.rows));
  }
  return false;
}

StepReport PocketNnLearner::JoinRows(size_t parts, size_t rows) {
  const std::span<const RowPart> used = std::span(row_parts_).first(parts);
  StepReport report;
  for (const RowPart& part : used) {
    report.loss += part.report.loss;
    report.correct += part.report.correct;
  }
  report.predictions = std::span(predictions_).first(rows);
  if (spec_.pocketnn.profile == PocketNnProfile::kReference) return report;  // joined already
  for (size_t l = 0; l < training_.size(); ++l) JoinLayer(l, used);
  return report;
}

void PocketNnLearner::JoinLayer(size_t layer, std::span<const RowPart> parts) {
  LayerTraining& training = training_[layer];
  training.input_magnitude_max = 0;
  SettledRows all;
  for (const RowPart& part : parts) {
    const RowPart::Layer& found = part.layers[layer];
    training.input_magnitude_max =
        std::max(training.input_magnitude_max, found.input_magnitude_max);
    training.counters.saturated_activations += found.saturated;
    all.Join(found.delta);
  }
  for (const RowPart& part : parts) {
    if (!all.is_narrow && part.layers[layer].delta.is_narrow) training.delta.Widen(part.rows);
  }
  training.delta.SetAll(all);
  training.counters.wide_steps += all.is_narrow ? 0u : 1u;
}

}  // namespace tally::pocketnn
