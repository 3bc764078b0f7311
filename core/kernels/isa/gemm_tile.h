// The tile of sums, for machines with vector registers: the loop over lines, rows and panels, with
// the instructions left to a Machine.
//
//   Vector, Weights, Left           register types
//   kVectors                        Vectors that hold the sums of one row and panel
//   kSteps                          multiplications a line takes
//   kRowsMax, PanelsMax(rows)       what fits into the registers
//   Start(starts, row)              a Vector to begin with
//   LoadWeights<step>(line, v)      the weights that meet Vector v
//   LoadLeft(word)                  a word, in every lane
//   MultiplyAdd(sum, weights, left)
//   Store<add>(vectors, sums)       the sums of one row and panel
//   StorePart<add>(vectors, sums, columns)
//
// Included once a unit, so that each level's compiler flags apply to it; hence the unnamed
// namespace.

#ifndef TALLY_CORE_KERNELS_ISA_GEMM_TILE_H_
#define TALLY_CORE_KERNELS_ISA_GEMM_TILE_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/gemm_table.h"

#define TALLY_INLINE [[gnu::always_inline]] inline

namespace tally::kernels {
namespace {  // NOLINT: see above

// Words are read from bytes that were written as something else.
using Word [[gnu::may_alias]] = int32_t;
using HalfWord [[gnu::may_alias]] = int16_t;

// StorePart for machines that cannot mask. Self is the machine, kColumns what its Store writes.
template <class Self, size_t kColumns>
struct StoresParts {
  template <bool kAdd, class Vector>
  TALLY_INLINE static void StorePart(const Vector* vectors, int32_t* sums, size_t columns) {
    if (columns == kColumns) {
      Self::template Store<kAdd>(vectors, sums);
      return;
    }
    alignas(64) int32_t whole[kColumns];
    Self::template Store<false>(vectors, whole);
    CopyPart<kAdd>(whole, sums, columns);
  }

 private:
  template <bool kAdd>
  [[gnu::noinline]] static void CopyPart(const int32_t* whole, int32_t* sums, size_t columns) {
    for (size_t j = 0; j < columns; ++j) sums[j] = (kAdd ? sums[j] : 0) + whole[j];
  }
};

template <class Machine, size_t kRows, size_t kPanels>
struct Tile {
  using Vector = typename Machine::Vector;
  using Weights = typename Machine::Weights;
  using Left = typename Machine::Left;
  static constexpr size_t kVectors = Machine::kVectors;
  static constexpr size_t kWide = kPanels * kVectors;

  template <size_t kStep>
  TALLY_INLINE static void AddStep(Vector (&sums)[kRows][kWide], const std::byte* left,
                                   size_t row_bytes, const std::byte* weights, size_t panel_bytes) {
    if constexpr (kRows >= kWide) {
      Weights line[kWide];
#pragma GCC unroll 16
      for (size_t v = 0; v < kWide; ++v) {
        line[v] = Machine::template LoadWeights<kStep>(weights + v / kVectors * panel_bytes,
                                                       v % kVectors);
      }
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) {
        const Left word = Machine::LoadLeft(left + r * row_bytes);
#pragma GCC unroll 16
        for (size_t v = 0; v < kWide; ++v) {
          sums[r][v] = Machine::MultiplyAdd(sums[r][v], line[v], word);
        }
      }
    } else {
      Left word[kRows];
#pragma GCC unroll 16
      for (size_t r = 0; r < kRows; ++r) word[r] = Machine::LoadLeft(left + r * row_bytes);
#pragma GCC unroll 16
      for (size_t v = 0; v < kWide; ++v) {
        const Weights line = Machine::template LoadWeights<kStep>(
            weights + v / kVectors * panel_bytes, v % kVectors);
#pragma GCC unroll 16
        for (size_t r = 0; r < kRows; ++r) {
          sums[r][v] = Machine::MultiplyAdd(sums[r][v], line, word[r]);
        }
      }
    }
  }

  template <bool kAdd>
  TALLY_INLINE static void Store(Vector (&sums)[kRows][kWide], const TileTask& task) {
    int32_t* row = task.sums;
    const size_t row_stride = task.sums_row_stride;
    const size_t panel_stride = task.sums_panel_stride;
    const size_t last_columns = task.last_columns;
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
      if constexpr (kPanels > 1) {
#pragma GCC unroll 16
        for (size_t p = 0; p + 1 < kPanels; ++p) {
          Machine::template Store<kAdd>(&sums[r][p * kVectors], row + p * panel_stride);
        }
      }
      Machine::template StorePart<kAdd>(&sums[r][(kPanels - 1) * kVectors],
                                        row + (kPanels - 1) * panel_stride, last_columns);
      row += row_stride;
    }
  }

  static void Run(const TileTask& task) {
    Vector sums[kRows][kWide];
#pragma GCC unroll 16
    for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (size_t v = 0; v < kWide; ++v) sums[r][v] = Machine::Start(task.starts, r);
    }
    const size_t row_bytes = task.left_row_bytes;
    const size_t line_bytes = task.left_line_bytes;
    const ptrdiff_t odd_bytes = task.left_odd_bytes;
    const size_t panel_bytes = task.weights_panel_bytes;
    const TileSegment* segment = task.segments;
    const TileSegment* const last = segment + task.segment_count;
    do {
      const std::byte* left = task.left + segment->left_bytes;
      const std::byte* weights = task.weights + segment->weights_bytes;
      size_t lines = task.lines;
      do {
        AddStep<0>(sums, left, row_bytes, weights, panel_bytes);
        if constexpr (Machine::kSteps == 2) {
          AddStep<1>(sums, left + odd_bytes, row_bytes, weights, panel_bytes);
        }
        left += line_bytes;
        weights += kTileLineBytes;
      } while (--lines != 0);
    } while (++segment != last);
    if (task.add) {
      Store<true>(sums, task);
    } else {
      Store<false>(sums, task);
    }
  }
};

using TileFunction = void (*)(const TileTask&);

template <class Machine, size_t kRows, size_t kPanels>
constexpr TileFunction TileOf() {
  if constexpr (kRows <= Machine::kRowsMax && kPanels <= Machine::PanelsMax(kRows)) {
    return Tile<Machine, kRows, kPanels>::Run;
  } else {
    return nullptr;
  }
}

struct TilesOfRows {
  TileFunction of_panels[kTilePanelsMax + 1];
};

template <class Machine, size_t kRows>
constexpr TilesOfRows MakeTiles() {
  return {{nullptr, TileOf<Machine, kRows, 1>(), TileOf<Machine, kRows, 2>(),
           TileOf<Machine, kRows, 3>(), TileOf<Machine, kRows, 4>(), TileOf<Machine, kRows, 5>(),
           TileOf<Machine, kRows, 6>(), TileOf<Machine, kRows, 7>(), TileOf<Machine, kRows, 8>()}};
}

template <class Machine>
constexpr TilesOfRows kTiles[kTileRowsMax + 1] = {{},
                                                  MakeTiles<Machine, 1>(),
                                                  MakeTiles<Machine, 2>(),
                                                  MakeTiles<Machine, 3>(),
                                                  MakeTiles<Machine, 4>(),
                                                  MakeTiles<Machine, 5>(),
                                                  MakeTiles<Machine, 6>(),
                                                  MakeTiles<Machine, 7>(),
                                                  MakeTiles<Machine, 8>(),
                                                  MakeTiles<Machine, 9>(),
                                                  MakeTiles<Machine, 10>(),
                                                  MakeTiles<Machine, 11>(),
                                                  MakeTiles<Machine, 12>(),
                                                  MakeTiles<Machine, 13>(),
                                                  MakeTiles<Machine, 14>(),
                                                  MakeTiles<Machine, 15>(),
                                                  MakeTiles<Machine, 16>()};

template <class Machine>
void RunTile(const TileTask& task) {
  kTiles<Machine>[task.rows].of_panels[task.panels](task);
}

// HalfMachine has sums of 8 columns only.
template <class Machine, class HalfMachine>
void RunTileOrHalf(const TileTask& task) {
  if (task.panels == 1 && task.last_columns <= 8) {
    RunTile<HalfMachine>(task);
  } else {
    RunTile<Machine>(task);
  }
}

// For machines with few registers, whose Store writes only kColumns of a panel.
template <class Machine>
void RunTileInParts(const TileTask& task) {
  constexpr size_t kColumns = Machine::kColumns;
  for (size_t p = 0; p < task.panels; ++p) {
    const size_t columns = p + 1 < task.panels ? kTileColumns : task.last_columns;
    for (size_t c = 0; c < columns; c += kColumns) {
      TileTask part = task;
      part.weights += p * task.weights_panel_bytes + 4 * c;
      part.sums += p * task.sums_panel_stride + c;
      part.panels = 1;
      part.last_columns = columns - c < kColumns ? columns - c : kColumns;
      RunTile<Machine>(part);
    }
  }
}

// panels_max from the machine; the rest is to be set.
template <class Machine>
constexpr TileKernel MakeTileKernel() {
  TileKernel kernel = {};
  for (size_t rows = 1; rows <= Machine::kRowsMax; ++rows) {
    kernel.panels_max[rows] = static_cast<uint8_t>(Machine::PanelsMax(rows));
  }
  return kernel;
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_GEMM_TILE_H_
