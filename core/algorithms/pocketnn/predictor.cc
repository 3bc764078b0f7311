#include "core/algorithms/pocketnn/predictor.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::pocketnn {
namespace {

// A block of rows shares the weights while they are in the cache; its scratch stays below this.
constexpr size_t kBlockRowsMax = 16;
constexpr size_t kBlockElementsMax = size_t{1} << 16;

// Two sets of activations, one read while the other is written, and the sums. Grows, never shrinks:
// every thread that predicts has its own, for all models.
struct Scratch {
  struct Size {
    size_t rows = 0;
    size_t columns = 0;       // of activations, the input among them
    size_t units = 0;         // of sums
    size_t wide_columns = 0;  // of activations beyond 16 bits; 0 where no layer has such

    bool operator==(const Size&) const = default;
  };

  std::vector<int16_t> narrow[2];
  std::vector<int64_t> wide[2];
  SumRows sums{0, 0};
  Size size;

  void Reserve(const Size& wanted) {
    const Size larger = {std::max(size.rows, wanted.rows), std::max(size.columns, wanted.columns),
                         std::max(size.units, wanted.units),
                         std::max(size.wide_columns, wanted.wide_columns)};
    if (larger == size) return;
    size = larger;
    for (size_t i = 0; i < 2; ++i) {
      narrow[i].resize(size.rows * size.columns);
      wide[i].resize(size.rows * size.wide_columns);
    }
    sums = SumRows(size.rows, size.units);
  }
};

}  // namespace

PocketNnPredictor::PocketNnPredictor(const ModelSpec& spec, Network network)
    : network_(std::move(network)),
      target_(spec.pocketnn.target),
      row_bytes_(spec.RowBytes()),
      inputs_(spec.InputElements()),
      classes_(spec.classes),
      widest_layer_(0),
      widest_wide_layer_(0) {
  for (const DenseLayer& layer : network_.layers) {
    size_t& widest = layer.activation.wide() ? widest_wide_layer_ : widest_layer_;
    widest = std::max<size_t>(widest, layer.units);
  }
  const size_t widest = std::max({inputs_, widest_layer_, widest_wide_layer_});
  rows_per_block_ = std::clamp<size_t>(kBlockElementsMax / widest, 1, kBlockRowsMax);
}

void PocketNnPredictor::Predict(const RowBatch& rows, std::span<int32_t> scores) const {
  TALLY_CHECK(rows.bytes.size() == rows.rows * row_bytes_);
  TALLY_CHECK(scores.size() == rows.rows * classes_);
  for (size_t first = 0; first < rows.rows; first += rows_per_block_) {
    const size_t count = std::min(rows_per_block_, rows.rows - first);
    PredictBlock({rows.bytes.subspan(first * row_bytes_, count * row_bytes_), count},
                 scores.subspan(first * classes_, count * classes_));
  }
}

void PocketNnPredictor::PredictBlock(const RowBatch& rows, std::span<int32_t> scores) const {
  thread_local Scratch scratch;
  scratch.Reserve({rows.rows, std::max(inputs_, widest_layer_),
                   std::max(widest_layer_, widest_wide_layer_), widest_wide_layer_});
  const MatrixView<int16_t> x = {scratch.narrow[0].data(), rows.rows, inputs_};
  network_.input.Read(rows, x);
  Rows current = {x, {}};
  size_t next = 1;
  for (const DenseLayer& layer : network_.layers) {
    Rows outputs;
    if (layer.activation.wide()) {
      outputs.wide = {scratch.wide[next].data(), rows.rows, layer.units};
    } else {
      outputs.narrow = {scratch.narrow[next].data(), rows.rows, layer.units};
    }
    layer.Forward(ToRead(current), scratch.sums, 0, outputs, {}, /*always_wide=*/false);
    current = outputs;
    next = 1 - next;
  }
  for (size_t r = 0; r < rows.rows; ++r) {
    for (size_t c = 0; c < classes_; ++c) {
      scores[r * classes_ + c] = SaturateToInt32(OutputAt(ToRead(current), r, c));
    }
  }
}

int64_t PocketNnPredictor::Loss(std::span<const int32_t> scores, uint32_t label) const {
  TALLY_CHECK(scores.size() == classes_ && label < classes_);
  int64_t loss = 0;
  for (size_t c = 0; c < classes_; ++c) {
    const int64_t error = scores[c] - (c == label ? target_ : 0);
    loss += RowLoss(std::span<const int64_t>(&error, 1));
  }
  return loss;
}

}  // namespace tally::pocketnn
