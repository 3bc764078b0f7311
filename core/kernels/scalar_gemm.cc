// The tile of sums in plain C++: the definition.

#include <cstring>

#include "core/kernels/gemm_table.h"
#include "core/kernels/isa/portable_gemm.h"
#include "core/kernels/packed_matrix.h"

namespace tally::kernels {
namespace {

template <class T>
void AddLine(const std::byte* word, const std::byte* line, int32_t* sums) {
  constexpr size_t kGroup = PackedMatrix<T>::kGroup;
  T left[kGroup];
  std::memcpy(left, word, sizeof(left));
  const T* weights = reinterpret_cast<const T*>(line);
  for (size_t j = 0; j < PackedMatrix<T>::kPanelColumns; ++j) {
    for (size_t i = 0; i < kGroup; ++i) sums[j] += left[i] * weights[j * kGroup + i];
  }
}

template <class T>
void RunRow(const TileTask& task, size_t row, size_t panel) {
  constexpr size_t kColumns = PackedMatrix<T>::kPanelColumns;
  int32_t sums[kColumns] = {};
  for (size_t s = 0; s < task.segment_count; ++s) {
    const TileSegment& segment = task.segments[s];
    const std::byte* word = task.left + segment.left_bytes + row * task.left_row_bytes;
    const std::byte* line = task.weights + segment.weights_bytes + panel * task.weights_panel_bytes;
    for (size_t l = 0; l < task.lines; ++l) {
      AddLine<T>(word, line, sums);
      word += task.left_line_bytes;
      line += kTileLineBytes;
    }
  }
  int32_t* target = task.sums + row * task.sums_row_stride + panel * task.sums_panel_stride;
  const size_t columns = panel + 1 < task.panels ? kColumns : task.last_columns;
  for (size_t j = 0; j < columns; ++j) target[j] = (task.add ? target[j] : 0) + sums[j];
}

template <class T>
void Run(const TileTask& task) {
  for (size_t panel = 0; panel < task.panels; ++panel) {
    for (size_t row = 0; row < task.rows; ++row) RunRow<T>(task, row, panel);
  }
}

template <class T>
constexpr TileKernel Kernel() {
  TileKernel kernel = {};
  kernel.run = Run<T>;
  kernel.prepare = CopyRows;
  kernel.pack = Pack<T>;
  kernel.transpose = Transpose<T>;
  kernel.left_row_bytes = LeftWords::kHalfBytes;
  kernel.rows_best = 8;
  kernel.half_panel_rows_min = kTileRowsMax + 1;
  for (size_t rows = 1; rows <= kTileRowsMax; ++rows) kernel.panels_max[rows] = 1;
  return kernel;
}

}  // namespace

extern const GemmTable kScalarGemm;
const GemmTable kScalarGemm = {Level::kScalar, Kernel<int8_t>(), Kernel<int16_t>(), Widen};

}  // namespace tally::kernels
