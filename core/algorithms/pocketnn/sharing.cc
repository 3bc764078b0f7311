// How a step is cut into parts, and when they are worth a second thread.
//
// A step meets twice: rows go forward and back through all layers with the weights as they are;
// then each line of weights takes its gradient from all rows. Both are cut by what is written.

#include <algorithm>

#include "core/algorithms/pocketnn/learner.h"

namespace tally::pocketnn {
namespace {

// For each thread, so that one who is late leaves something for the others.
constexpr size_t kPartsPerThread = 4;
// Fewer rows would read the weights from the second cache too often.
constexpr size_t kPartRowsMin = 8;
// Waking a thread and waiting for it costs some 10 us a step; so many products take 50.
constexpr uint64_t kSharedProductsMin = uint64_t{1} << 20;

// What a line costs: its panels.
uint64_t CostOf(const DenseLayer& layer) { return layer.weights.panels(); }

}  // namespace

PocketNnLearner::UpdateScratch::UpdateScratch(size_t widest, size_t layers)
    : line_sums(Shape({2, kernels::PaddedColumns(widest)})),
      wide_sums(Shape({widest})),
      weight_row(Shape({widest})),
      tallies(layers) {}

uint64_t PocketNnLearner::UpdateScratch::Bytes(uint64_t widest, uint64_t layers) {
  return kernels::PaddedColumns(widest) * 2 * sizeof(int32_t) +
         widest * (sizeof(int64_t) + sizeof(int16_t)) + layers * sizeof(kernels::UpdateTally);
}

void PocketNnLearner::CutWeights() {
  const size_t threads = ThreadsOf(options_.environment.workers);
  size_t widest = 0;
  uint64_t total = 0;
  for (const DenseLayer& layer : network_.layers) {
    widest = std::max<size_t>(widest, layer.units);
    total += layer.weights.lines() * CostOf(layer);
  }
  scratch_.reserve(threads);
  for (size_t t = 0; t < threads; ++t) scratch_.emplace_back(widest, network_.layers.size());
  // At most threads * kPartsPerThread parts and one more a layer.
  const uint64_t part_cost = threads == 1 ? total : total / (threads * kPartsPerThread) + 1;
  for (size_t l = 0; l < network_.layers.size(); ++l) {
    const DenseLayer& layer = network_.layers[l];
    const size_t lines = layer.weights.lines();
    const size_t parts =
        static_cast<size_t>(std::min<uint64_t>(lines, lines * CostOf(layer) / part_cost + 1));
    for (size_t p = 0; p < parts; ++p) {
      weight_parts_.push_back({l, {lines * p / parts, lines * (p + 1) / parts}});
    }
  }
  row_parts_.resize(
      threads == 1 ? 1 : std::min<size_t>(threads * kPartsPerThread, (spec_.batch_size + 1) / 2));
  for (RowPart& part : row_parts_) part.layers.resize(network_.layers.size());
}

bool PocketNnLearner::IsShared(size_t rows) const {
  return options_.environment.workers != nullptr &&
         (options_.share_everything || rows * ParameterCount(spec_) >= kSharedProductsMin);
}

size_t PocketNnLearner::CutRows(size_t rows) {
  // By pairs of rows, which lie together in packed deltas.
  const size_t pairs = (rows + 1) / 2;
  const size_t rows_min = options_.share_everything ? 2 : kPartRowsMin;
  const size_t parts =
      IsShared(rows) ? std::clamp<size_t>(rows / rows_min, 1, row_parts_.size()) : 1;
  for (size_t p = 0; p < parts; ++p) {
    const size_t first = 2 * (pairs * p / parts);
    row_parts_[p].rows = {first, std::min(rows, 2 * (pairs * (p + 1) / parts)) - first};
  }
  return parts;
}

void PocketNnLearner::Share(std::span<const WorkerPool::Stage> stages, size_t rows) {
  if (IsShared(rows)) return options_.environment.workers->Run(stages);
  for (const WorkerPool::Stage& stage : stages) {
    for (size_t part = 0; part < stage.parts; ++part) stage.work(part, 0);
    stage.then();
  }
}

}  // namespace tally::pocketnn
