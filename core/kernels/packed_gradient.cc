#include "core/kernels/packed_gradient.h"

#include <algorithm>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

size_t Halves(size_t count) { return (count + 1) / 2; }

}  // namespace

InputPairs::InputPairs(size_t rows_max, size_t inputs)
    : inputs_(inputs),
      lines_(Halves(inputs)),
      pairs_(Shape({2 * lines_, 2 * Halves(rows_max)})),
      any_(Shape({2 * lines_})),
      active_(std::make_unique<PairTerm[]>(lines_)) {}

uint64_t InputPairs::Bytes(uint64_t rows_max, uint64_t inputs) {
  const uint64_t lines = (inputs + 1) / 2;
  const uint64_t row_pairs = (rows_max + 1) / 2;
  return 2 * lines * 2 * row_pairs * sizeof(int16_t) + 2 * lines * sizeof(int16_t) +
         lines * sizeof(PairTerm);
}

void InputPairs::Set(MatrixView<const int16_t> x, bool all_lines) {
  TALLY_CHECK(x.columns == inputs_ && Halves(x.rows) * 4 * lines_ <= pairs_.size());
  row_pairs_ = Halves(x.rows);
  const RowTable& table = Rows();
  table.pair_rows(x.data, x.rows, inputs_, pairs_.data(), any_.data());
  // An odd last input shares its line with one that does not exist; any_ has a zero for it.
  if (inputs_ % 2 == 1) {
    std::fill_n(pairs_.data() + inputs_ * 2 * row_pairs_, 2 * row_pairs_, int16_t{0});
  }
  if (all_lines) {
    for (size_t line = 0; line < lines_; ++line) active_[line] = {static_cast<uint32_t>(line), 0};
    active_count_ = lines_;
  } else {
    active_count_ = table.list_pairs(any_.data(), lines_, 0, active_.get());
  }
}

void InputPairs::SumLine(size_t line, const PackedMatrix<int16_t>& d,
                         std::span<int32_t> sums) const {
  const size_t width = d.panels() * PackedMatrix<int16_t>::kPanelColumns;
  TALLY_CHECK(line < lines_ && sums.size() == 2 * width && row_pairs_ <= d.lines());
  Rows().sum_line(pairs_.data() + 2 * line * 2 * row_pairs_, row_pairs_,
                  {d.Line(0, 0), d.panel_stride(), d.panels()}, sums.data());
}

}  // namespace tally::kernels
