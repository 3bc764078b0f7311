#include "daemon/rpc/evaluation.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"

namespace tally::rpc {
namespace {

// Scores held at a time: their memory does not grow with the message.
constexpr size_t kSliceScores = 65536;

// A row's loss is small; only an absurd number of rows could leave the range.
int64_t SaturatingAdd(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? std::numeric_limits<int64_t>::min() : std::numeric_limits<int64_t>::max();
}

}  // namespace

Evaluation::Evaluation(std::shared_ptr<const hosting::Snapshot> snapshot)
    : snapshot_(std::move(snapshot)), classes_(snapshot_->spec->classes) {}

void Evaluation::Add(const std::string& rows,
                     const google::protobuf::RepeatedField<uint32_t>& labels) {
  const std::span<const uint32_t> all_labels(labels.data(), static_cast<size_t>(labels.size()));
  const std::span<const std::byte> all_rows = std::as_bytes(std::span(rows));
  const size_t row_bytes = spec().RowBytes();
  const size_t slice_rows = std::max<size_t>(kSliceScores / classes_.size(), 1);
  for (size_t begin = 0; begin < all_labels.size(); begin += slice_rows) {
    const size_t count = std::min(slice_rows, all_labels.size() - begin);
    AddSlice(all_rows.subspan(begin * row_bytes, count * row_bytes),
             all_labels.subspan(begin, count));
  }
}

void Evaluation::AddSlice(std::span<const std::byte> rows, std::span<const uint32_t> labels) {
  const size_t classes = classes_.size();
  scores_.resize(labels.size() * classes);
  snapshot_->predictor->Predict({rows, labels.size()}, scores_);
  for (size_t row = 0; row < labels.size(); ++row) {
    const std::span<const int32_t> scores = std::span(scores_).subspan(row * classes, classes);
    const uint32_t label = labels[row];
    const uint32_t predicted = ArgMax(scores);
    ++classes_[label].total;
    ++classes_[predicted].predicted;
    if (predicted == label) ++classes_[label].correct;
    loss_ = SaturatingAdd(loss_, snapshot_->predictor->Loss(scores, label));
  }
}

void Evaluation::Write(v1::EvaluateResponse& response) const {
  uint64_t total = 0;
  uint64_t correct = 0;
  for (const ClassCounts& counts : classes_) {
    v1::ClassCount* out = response.add_classes();
    out->set_total(counts.total);
    out->set_correct(counts.correct);
    out->set_predicted(counts.predicted);
    total += counts.total;
    correct += counts.correct;
  }
  response.set_total(total);
  response.set_correct(correct);
  response.set_loss(loss_);
  response.set_model_version(absl::StrCat(snapshot_->position));
  response.set_state_digest(snapshot_->state_digest);
}

}  // namespace tally::rpc
