// The inner loops of the matrix products, one set a level: small tiles of sums, a few rows by a few
// panels, that stay in registers from the first product to the last.

#ifndef TALLY_CORE_KERNELS_GEMM_TABLE_H_
#define TALLY_CORE_KERNELS_GEMM_TABLE_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/level.h"

namespace tally::kernels {

// A run of lines that lie one after the other: how far it is from `left` and `weights` of a task.
struct TileSegment {
  size_t left_bytes;
  size_t weights_bytes;
};
inline constexpr TileSegment kOnlySegment = {0, 0};

// sums[r][j] (+)= sum over the lines of the products of left word and weight lane: four of int8, or
// two of int16. The caller has shown that no sum leaves int32.
//
// A word is 32 bits of the left operand. The word of row r and line l of a segment is at
// `left + left_bytes + r * left_row_bytes + l * left_line_bytes`; a level that wants words of int8
// split finds the odd elements `left_odd_bytes` from there.
struct TileTask {
  const std::byte* left;
  size_t left_row_bytes;
  size_t left_line_bytes;
  ptrdiff_t left_odd_bytes;
  const int32_t* starts;     // where the sums of each row begin, if the level wants it
  const std::byte* weights;  // the first line of the first panel
  size_t weights_panel_bytes;
  const TileSegment* segments;
  size_t segment_count;    // at least 1
  size_t lines;            // of each segment, at least 1
  int32_t* sums;           // of row 0 and the first column
  size_t sums_row_stride;  // elements
  size_t sums_panel_stride;
  size_t rows;
  size_t panels;
  size_t last_columns;  // of the last panel that have sums, 1 to 16
  bool add;             // to what is in `sums`
};

inline constexpr size_t kTileRowsMax = 16;
inline constexpr size_t kTilePanelsMax = 8;
inline constexpr size_t kTileLinesMax = 256;
inline constexpr size_t kTileColumns = 16;    // of one panel
inline constexpr size_t kTileLineBytes = 64;  // of one panel

// Rows of a plain matrix.
struct PlainRows {
  const std::byte* first;
  size_t stride_bytes;
  size_t rows;
  size_t bytes;  // of each row that count
};

// Words of the left operand, prepared for the tiles of a level. Either rows of up to kTileLinesMax
// words, the last one filled up with zeros: rows that lie a multiple of 64 bytes apart would
// compete for the same banks of the first cache, hence the odd distances. Or a panel of up to 16
// columns, a line of their words after the other.
struct LeftWords {
  static constexpr size_t kHalfBytes = 4 * kTileLinesMax + 32;
  static constexpr size_t kRowBytes = 2 * kHalfBytes + 32;
  static constexpr size_t kPanelLinesMax = 128;
  static constexpr size_t kPanelHalfBytes = (kPanelLinesMax + 1) * kTileLineBytes;

  alignas(64) std::byte words[kTileRowsMax * kRowBytes];
  int32_t starts[kTileRowsMax];
};

// Lines of packed weights that become one panel of the transposed matrix.
struct TransposeTask {
  const std::byte* lines;  // of the first panel
  size_t panel_bytes;
  size_t panels;
  size_t count;  // lines that exist of those that 16 rows have
};

struct TileKernel {
  void (*run)(const TileTask& task);
  // Rows of at most 4 * kTileLinesMax bytes into words.
  void (*prepare)(const PlainRows& rows, LeftWords& left);
  // Splits the words of so many lines of a panel: even elements stay, odd ones go to the same place
  // `odd_bytes` further on. Null for levels that want whole words.
  void (*split_lines)(size_t lines, std::byte* words, size_t odd_bytes);
  // Adds what the 16 columns of so many lines of a panel, aligned to 4 bytes, make of starts. Null
  // for levels without.
  void (*add_starts)(size_t lines, const std::byte* words, int32_t* starts);
  // 16 columns or less of some rows into lines; missing rows and columns are zero.
  void (*pack)(const PlainRows& rows, std::byte* lines);
  // Rows of weights into the lines of a panel; missing lines are zero.
  void (*transpose)(const TransposeTask& task, std::byte* lines);

  // Of prepared rows: from a row to the next, and to the odd elements.
  size_t left_row_bytes;
  ptrdiff_t left_odd_bytes;
  // Of a prepared panel.
  ptrdiff_t panel_odd_bytes;
  // The rows with which a tile is at its best.
  uint8_t rows_best;
  // The most panels that a tile of so many rows may have.
  uint8_t panels_max[kTileRowsMax + 1];
  // From so many rows on, a last panel with 8 columns or less is cheaper as a tile of its own.
  uint8_t half_panel_rows_min;
};

// Sums of a tile on their way to int64.
struct WideTarget {
  int64_t* sums;
  size_t row_stride;  // elements
  size_t panel_stride;
  size_t last_columns;  // as in TileTask
  bool add;
};

struct GemmTable {
  Level level;
  TileKernel int8;
  TileKernel int16;
  // Moves the sums of `rows` rows and `panels` panels; a row of them is kTilePanelsMax panels long.
  void (*widen)(const int32_t* sums, size_t rows, size_t panels, const WideTarget& target);
};

// The table of a usable level.
const GemmTable& GemmOf(Level level);
// That of the active level.
const GemmTable& ActiveGemm();

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_GEMM_TABLE_H_
