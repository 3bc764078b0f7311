// How a mini-batch is cut into parts for several threads, and when that is worth their waking.
//
// A part is some rows. Between the stages all parts meet, since ranges are those of the whole
// mini-batch. Each part has its own gradient sums; they are integers and within the bounds of the
// whole sum (bounds.h), so that their sum does not depend on how the rows were cut.

#include <algorithm>

#include "core/algorithms/niti/learner.h"

namespace tally::niti {
namespace {

// Threads meet some five times a stage and step, and each time costs some 10 us; so many products
// forward take about a millisecond, and three times that with the way back.
constexpr uint64_t kSharedProductsMin = uint64_t{1} << 24;

uint64_t ProductsOfARow(const ModelSpec& spec) {
  uint64_t products = 0;
  for (const LayerShape& shape : LayerShapes(spec)) {
    products += shape.weights() * shape.out.height * shape.out.width;
  }
  return products;
}

}  // namespace

size_t NitiLearner::PartsMax(const ModelSpec& spec, size_t threads) {
  if (spec.batch_size * ProductsOfARow(spec) < kSharedProductsMin) return 1;
  return std::min<size_t>(threads, spec.batch_size);
}

void NitiLearner::CutRows(size_t rows) {
  parts_used_ = std::min(parts_.size(), rows);
  for (size_t p = 0; p < parts_used_; ++p) {
    parts_[p].first = rows * p / parts_used_;
    parts_[p].rows = rows * (p + 1) / parts_used_ - parts_[p].first;
  }
}

void NitiLearner::ForEachPart(absl::FunctionRef<void(Part& part)> work) {
  const auto run = [&](size_t part, size_t) { work(parts_[part]); };
  if (parts_used_ == 1) return run(0, 0);
  options_.environment.workers->Run(parts_used_, run);
}

uint64_t NitiLearner::SharedMax() {
  uint64_t max = 0;
  for (size_t p = 0; p < parts_used_; ++p) max = std::max(max, parts_[p].max);
  if (options_.environment.collective == nullptr) return max;
  int64_t value = static_cast<int64_t>(max);
  options_.environment.collective->Max({&value, 1});
  return static_cast<uint64_t>(value);
}

template <class Sum>
void NitiLearner::JoinSums(std::vector<kernels::PanelSums<Sum>>& sums) {
  if (parts_used_ == 1) return;
  ForEachPart([&](Part& part) {
    const size_t index = IndexOf(part);
    const size_t count = sums[0].elements().size();
    const size_t first = count * index / parts_used_;
    const size_t end = count * (index + 1) / parts_used_;
    Sum* joined = sums[0].elements().data();
    for (size_t p = 1; p < parts_used_; ++p) {
      const Sum* own = sums[p].elements().data();
      for (size_t i = first; i < end; ++i) joined[i] += own[i];
    }
  });
}

template void NitiLearner::JoinSums(std::vector<kernels::PanelSums<int32_t>>&);
template void NitiLearner::JoinSums(std::vector<kernels::PanelSums<int64_t>>&);

}  // namespace tally::niti
