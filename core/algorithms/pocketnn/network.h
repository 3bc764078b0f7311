// The forward half of a PocketNN model: what prediction needs and training starts with.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_NETWORK_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_NETWORK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/algorithms/input_stage.h"
#include "core/algorithms/pocketnn/activations.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/packed_product.h"
#include "core/learner/model_spec.h"
#include "core/tensor/matrix_view.h"
#include "core/tensor/tensor.h"

namespace tally::pocketnn {

// Rows [first, first + count) of a mini-batch.
struct RowRange {
  size_t first = 0;
  size_t count = 0;
};

// Rows of numbers, 16 bits each where their range allows, else 64: exactly one of the two has
// elements.
template <class Narrow, class Wide>
struct EitherWidth {
  MatrixView<Narrow> narrow;
  MatrixView<Wide> wide;

  bool is_wide() const { return wide.data != nullptr; }
  size_t rows() const { return is_wide() ? wide.rows : narrow.rows; }
};
using Rows = EitherWidth<int16_t, int64_t>;
using ConstRows = EitherWidth<const int16_t, const int64_t>;

inline ConstRows ToRead(const Rows& rows) { return {rows.narrow, rows.wide}; }

// Room for the sums of some rows in both widths; one of them is used at a time. Different rows may
// have different numbers of columns, and be used by different threads.
class SumRows {
 public:
  SumRows(size_t rows_max, size_t columns_max);
  static uint64_t Bytes(uint64_t rows_max, uint64_t columns_max);

  MatrixView<int32_t> narrow(RowRange rows, size_t columns) {
    return {narrow_.matrix().Row(rows.first), rows.count, kernels::PaddedColumns(columns)};
  }
  MatrixView<int64_t> wide(RowRange rows, size_t columns) {
    return {wide_.matrix().Row(rows.first), rows.count, columns};
  }

 private:
  Tensor<int32_t> narrow_;
  Tensor<int64_t> wide_;
};

// Whether every sum of x * w stays strictly within int32 with room for `extra`, |w| <= w_magnitude.
bool ProductFitsInt32(ConstRows x, uint64_t w_magnitude, uint64_t extra);

// A fully connected layer: z = x * weights + bias, then the activation.
struct DenseLayer {
  DenseLayer(const ModelSpec& spec, size_t layer);

  // Outputs of the rows of x, inverse slopes unless that view is null; `sums` from `first_row` on
  // are scratch. Sums are 64 bits wide where 32 would not do, or if `always_wide`: the same
  // numbers. Returns the number of outputs cut at an end of the activation's range.
  uint64_t Forward(ConstRows x, SumRows& sums, size_t first_row, Rows a,
                   MatrixView<uint8_t> slope_codes, bool always_wide) const;

  // Finds it anew; to be called after weights were set by anything but an update.
  void FindWeightMagnitude();

  uint32_t inputs;
  uint32_t units;
  uint32_t weight_limit;
  LayerActivation activation;
  kernels::PackedMatrix<int16_t> weights;  // [inputs, units]
  Tensor<int16_t> bias;                    // [units]
  uint32_t weight_magnitude = 0;           // no |weight| is larger
};

struct Network {
  explicit Network(const ModelSpec& spec);

  InputStage input;
  std::vector<DenseLayer> layers;
};

// Element (row, column) of the outputs.
int64_t OutputAt(ConstRows outputs, size_t row, size_t column);

// The L2 loss of one row: DivTrunc(error^2, 2), summed. An error is output minus wanted output.
int64_t RowLoss(std::span<const int32_t> errors);
int64_t RowLoss(std::span<const int64_t> errors);

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_NETWORK_H_
