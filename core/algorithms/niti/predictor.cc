#include "core/algorithms/niti/predictor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/algorithms/niti/narrow.h"
#include "core/algorithms/niti/range.h"
#include "core/arithmetic/check.h"
#include "core/kernels/elementwise.h"

namespace tally::niti {
namespace {

// A block of rows shares the weights while they are in the cache; its sums stay below 1 MiB, unless
// those of one row do not.
constexpr size_t kBlockRowsMax = 16;
constexpr size_t kBlockElementsMax = size_t{1} << 18;

}  // namespace

// Two sets of activations, one read while the other is written, and the sums. Grows, never shrinks.
struct NitiPredictor::Scratch {
  Tensor<int8_t> rows[2];
  Tensor<int32_t> sums;
  std::vector<int32_t> exponents;

  void Reserve(size_t elements, size_t row_count) {
    exponents.resize(std::max(exponents.size(), row_count));
    if (elements <= sums.size()) return;
    sums = Tensor<int32_t>(Shape({elements}));
    for (Tensor<int8_t>& each : rows) each = Tensor<int8_t>(Shape({elements}));
  }
};

NitiPredictor::NitiPredictor(const ModelSpec& spec, Network network)
    : network_(std::move(network)),
      wraps_(spec.niti.profile == NitiProfile::kReference),
      softmax_(spec.niti.softmax),
      row_bytes_(spec.RowBytes()),
      classes_(spec.classes),
      widest_(network_.WidestRow()),
      rows_per_block_(std::clamp<size_t>(kBlockElementsMax / widest_, 1, kBlockRowsMax)) {}

void NitiPredictor::Predict(const RowBatch& rows, std::span<int32_t> scores) const {
  TALLY_CHECK(rows.bytes.size() == rows.rows * row_bytes_);
  TALLY_CHECK(scores.size() == rows.rows * classes_);
  thread_local Scratch scratch;
  scratch.Reserve(rows_per_block_ * widest_, rows_per_block_);
  for (size_t first = 0; first < rows.rows; first += rows_per_block_) {
    const size_t count = std::min(rows_per_block_, rows.rows - first);
    PredictBlock({rows.bytes.subspan(first * row_bytes_, count * row_bytes_), count}, scratch,
                 scores.subspan(first * classes_, count * classes_));
  }
}

void NitiPredictor::PredictBlock(const RowBatch& rows, Scratch& scratch,
                                 std::span<int32_t> scores) const {
  network_.input.ReadInt8(rows,
                          {scratch.rows[0].data(), rows.rows, network_.stages.front().in_elements});
  std::fill_n(scratch.exponents.begin(), rows.rows, kInputExponent);
  size_t current = 0;
  for (const Stage& stage : network_.stages) current = RunStage(stage, rows.rows, current, scratch);
  const int8_t* logits = scratch.rows[current].data();
  for (size_t i = 0; i < scores.size(); ++i) {
    scores[i] = ScoreOf(logits[i], scratch.exponents[i / classes_]);
  }
}

size_t NitiPredictor::RunStage(const Stage& stage, size_t rows, size_t current,
                               Scratch& scratch) const {
  const MatrixView<int8_t> x = {scratch.rows[current].data(), rows, stage.in_elements};
  const MatrixView<int32_t> z = {scratch.sums.data(), rows * stage.positions, stage.units};
  stage.Multiply(x, z);
  current = 1 - current;
  for (size_t r = 0; r < rows; ++r) {
    const std::span<const int32_t> sums = {z.data + r * stage.sum_elements(), stage.sum_elements()};
    const int32_t shift = RequantisationShift(kernels::MaxMagnitude(sums));
    Narrow(sums, {.shift = shift, .relu = stage.relu, .wraps = wraps_},
           {scratch.rows[current].data() + r * stage.sum_elements(), stage.sum_elements()});
    scratch.exponents[r] += stage.exponent + shift;
  }
  for (const Follower& follower : stage.followers) {
    if (follower.kind != LayerKind::kMaxPool) continue;
    const MatrixView<int8_t> in = {scratch.rows[current].data(), rows, follower.in_elements};
    kernels::MaxPool(in, follower.pool,
                     {scratch.rows[1 - current].data(), rows, follower.out_elements});
    current = 1 - current;
  }
  return current;
}

int64_t NitiPredictor::Loss(std::span<const int32_t> scores, uint32_t label) const {
  TALLY_CHECK(scores.size() == classes_);
  return LossOfScores(softmax_, scores, label);
}

}  // namespace tally::niti
