#include "client/training/evaluate.h"

#include <algorithm>
#include <vector>

namespace tally {
namespace {

// Enough rows to keep the kernels busy, few enough to stay in the cache.
constexpr uint32_t kRowsAtOnce = 64;

}  // namespace

Evaluation Evaluate(const Predictor& predictor, uint32_t classes, const Dataset& dataset) {
  Evaluation result;
  result.total = dataset.count();
  std::vector<int32_t> scores(size_t{kRowsAtOnce} * classes);
  const size_t row_bytes = dataset.row_bytes();
  for (uint32_t first = 0; first < dataset.count(); first += kRowsAtOnce) {
    const uint32_t rows = std::min(kRowsAtOnce, dataset.count() - first);
    const auto bytes = std::span(dataset.rows).subspan(first * row_bytes, rows * row_bytes);
    predictor.Predict({bytes, rows}, std::span(scores).first(size_t{rows} * classes));
    for (uint32_t r = 0; r < rows; ++r) {
      const auto row_scores =
          std::span<const int32_t>(scores).subspan(size_t{r} * classes, classes);
      const uint32_t label = dataset.labels[first + r];
      if (ArgMax(row_scores) == label) ++result.correct;
      result.loss += predictor.Loss(row_scores, label);
    }
  }
  return result;
}

}  // namespace tally
