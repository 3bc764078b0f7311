#include "core/kernels/packed_gradient.h"

#include <algorithm>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

size_t Halves(size_t count) { return (count + 1) / 2; }

// Rows a and b of x as pairs: pairs[k * stride] = a[k], pairs[k * stride + 1] = b[k].
void Interleave(const int16_t* a, const int16_t* b, size_t inputs, size_t stride, int16_t* pairs) {
  for (size_t k = 0; k < inputs; ++k) {
    pairs[k * stride] = a[k];
    pairs[k * stride + 1] = b[k];
  }
}

void InterleaveWithZero(const int16_t* a, size_t inputs, size_t stride, int16_t* pairs) {
  for (size_t k = 0; k < inputs; ++k) {
    pairs[k * stride] = a[k];
    pairs[k * stride + 1] = 0;
  }
}

}  // namespace

InputPairs::InputPairs(size_t rows_max, size_t inputs)
    : inputs_(inputs),
      lines_(Halves(inputs)),
      pairs_(Shape({2 * lines_, 2 * Halves(rows_max)})),
      any_(Shape({2 * lines_})),
      active_(std::make_unique<PairTerm[]>(lines_)),
      terms_(std::make_unique<PairTerm[]>(Halves(rows_max))) {}

uint64_t InputPairs::Bytes(uint64_t rows_max, uint64_t inputs) {
  const uint64_t lines = (inputs + 1) / 2;
  const uint64_t row_pairs = (rows_max + 1) / 2;
  return 2 * lines * 2 * row_pairs * sizeof(int16_t) + 2 * lines * sizeof(int16_t) +
         (lines + row_pairs) * sizeof(PairTerm);
}

void InputPairs::Set(MatrixView<const int16_t> x) {
  TALLY_CHECK(x.columns == inputs_ && Halves(x.rows) * 4 * lines_ <= pairs_.size());
  row_pairs_ = Halves(x.rows);
  const size_t stride = 2 * row_pairs_;
  std::fill_n(any_.data(), any_.size(), int16_t{0});
  for (size_t r = 0; r < x.rows; ++r) {
    for (size_t k = 0; k < inputs_; ++k) {
      any_[k] = static_cast<int16_t>(any_[k] | x.Row(r)[k]);
    }
  }
  for (size_t r = 0; r + 1 < x.rows; r += 2) {
    Interleave(x.Row(r), x.Row(r + 1), inputs_, stride, pairs_.data() + r);
  }
  if (x.rows % 2 == 1) {
    InterleaveWithZero(x.Row(x.rows - 1), inputs_, stride, pairs_.data() + x.rows - 1);
  }
  // An odd last input shares its line with one that does not exist.
  if (inputs_ % 2 == 1) std::fill_n(pairs_.data() + inputs_ * stride, stride, int16_t{0});
  active_count_ = Rows().list_pairs(any_.data(), lines_, 0, active_.get());
}

void InputPairs::SumLine(size_t line, const PackedMatrix<int16_t>& d,
                         std::span<int32_t> sums) const {
  const size_t width = d.panels() * PackedMatrix<int16_t>::kPanelColumns;
  TALLY_CHECK(line < lines_ && sums.size() == 2 * width && row_pairs_ <= d.lines());
  const RowTable& table = kernels::Rows();
  std::fill(sums.begin(), sums.end(), 0);
  for (size_t i = 0; i < 2; ++i) {
    const int16_t* values = pairs_.data() + (2 * line + i) * 2 * row_pairs_;
    const size_t count = table.list_pairs(values, row_pairs_, 0, terms_.get());
    if (count == 0) continue;
    table.add_pairs(terms_.get(), count, {d.Line(0, 0), d.panel_stride(), d.panels()},
                    sums.data() + i * width);
  }
}

}  // namespace tally::kernels
