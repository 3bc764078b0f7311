#include "core/kernels/packed_gradient.h"

#include <algorithm>

#include "core/arithmetic/check.h"

namespace tally::kernels {
namespace {

size_t Halves(size_t count) { return (count + 1) / 2; }

// One line of a panel from two rows. Both loops are what a vectoriser knows how to zip.
void ZipRows(const int16_t* __restrict even, const int16_t* __restrict odd, size_t count,
             int16_t* __restrict line) {
  for (size_t j = 0; j < count; ++j) {
    line[2 * j] = even[j];
    line[2 * j + 1] = odd[j];
  }
}

void ZipRow(const int16_t* __restrict even, size_t count, int16_t* __restrict line) {
  for (size_t j = 0; j < count; ++j) line[2 * j] = even[j];
}

void PackRows(size_t first_row, MatrixView<const int16_t> plain, PackedMatrix<int16_t>& packed) {
  constexpr size_t kColumns = PackedMatrix<int16_t>::kPanelColumns;
  for (size_t k = 0; k < plain.rows; k += 2) {
    for (size_t p = 0; p < packed.panels(); ++p) {
      const size_t first = p * kColumns;
      const int16_t* even = plain.Row(k) + first;
      int16_t* line = packed.Line(p, (first_row + k) / 2);
      const size_t count = std::min(kColumns, plain.columns - first);
      if (k + 1 == plain.rows) {
        ZipRow(even, count, line);
      } else if (count == kColumns) {
        ZipRows(even, even + plain.columns, kColumns, line);
      } else {
        ZipRows(even, even + plain.columns, count, line);
      }
    }
  }
}

template <class T>
void Narrow(const T* __restrict from, size_t count, int16_t* __restrict to) {
  for (size_t j = 0; j < count; ++j) to[j] = static_cast<int16_t>(from[j]);
}

template <class T>
void Pack(MatrixView<const T> from, size_t first_row, MatrixView<int16_t> plain,
          PackedMatrix<int16_t>& packed) {
  TALLY_CHECK(first_row % 2 == 0 && from.rows == plain.rows && from.columns >= plain.columns);
  TALLY_CHECK(plain.columns == packed.columns() && plain.rows <= packed.rows() - first_row);
  for (size_t r = 0; r < from.rows; ++r) Narrow(from.Row(r), plain.columns, plain.Row(r));
  PackRows(first_row, plain, packed);
}

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

std::span<const PairTerm> InputPairs::Set(MatrixView<const int16_t> x, Lines lines,
                                          bool all_active) {
  TALLY_CHECK(x.columns == inputs_ && Halves(x.rows) * 4 * lines_ <= pairs_.size());
  TALLY_CHECK(lines.first <= lines.last && lines.last <= lines_);
  const RowTable& table = Rows();
  const size_t places = 2 * Halves(x.rows);
  const size_t first = 2 * lines.first;
  const size_t inputs = std::min(2 * lines.last, inputs_) - std::min(first, inputs_);
  table.pair_rows(x.data + first, x.rows, x.columns, inputs, pairs_.data() + first * places,
                  any_.data() + first);
  // An odd last input shares its line with one that does not exist; any_ has a zero for it.
  if (inputs % 2 == 1) std::fill_n(pairs_.data() + inputs_ * places, places, int16_t{0});
  PairTerm* active = active_.get() + lines.first;
  const size_t count = lines.last - lines.first;
  if (all_active) {
    for (size_t i = 0; i < count; ++i) active[i] = {static_cast<uint32_t>(lines.first + i), 0};
    return {active, count};
  }
  return {active,
          table.list_pairs(any_.data() + first, count, static_cast<uint32_t>(lines.first), active)};
}

void InputPairs::SumLine(size_t line, size_t rows, const PackedMatrix<int16_t>& d,
                         std::span<int32_t> sums) const {
  const size_t width = d.panels() * PackedMatrix<int16_t>::kPanelColumns;
  const size_t row_pairs = Halves(rows);
  TALLY_CHECK(line < lines_ && sums.size() == 2 * width && row_pairs <= d.lines());
  Rows().sum_line(pairs_.data() + 2 * line * 2 * row_pairs, row_pairs,
                  {d.Line(0, 0), d.panel_stride(), d.panels()}, sums.data());
}

void PackDeltas(MatrixView<const int32_t> from, size_t first_row, MatrixView<int16_t> plain,
                PackedMatrix<int16_t>& packed) {
  Pack(from, first_row, plain, packed);
}
void PackDeltas(MatrixView<const int64_t> from, size_t first_row, MatrixView<int16_t> plain,
                PackedMatrix<int16_t>& packed) {
  Pack(from, first_row, plain, packed);
}

}  // namespace tally::kernels
