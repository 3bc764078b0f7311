// The forward half of a PocketNN model: what prediction needs and training starts with.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_NETWORK_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_NETWORK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/algorithms/input_stage.h"
#include "core/algorithms/pocketnn/activations.h"
#include "core/learner/model_spec.h"
#include "core/tensor/matrix_view.h"
#include "core/tensor/tensor.h"

namespace tally::pocketnn {

// Rows of numbers, 16 bits each where their range allows, else 64: exactly one of the two has
// elements.
template <class Narrow, class Wide>
struct EitherWidth {
  MatrixView<Narrow> narrow;
  MatrixView<Wide> wide;

  bool is_wide() const { return wide.data != nullptr; }
  size_t columns() const { return is_wide() ? wide.columns : narrow.columns; }
  EitherWidth FirstRows(size_t count) const {
    return is_wide() ? EitherWidth{{}, wide.FirstRows(count)}
                     : EitherWidth{narrow.FirstRows(count), {}};
  }
};
using Rows = EitherWidth<int16_t, int64_t>;
using ConstRows = EitherWidth<const int16_t, const int64_t>;

inline ConstRows ToRead(const Rows& rows) { return {rows.narrow, rows.wide}; }

// z = x * w in 16-bit kernels if x is narrow, else in the wide one: the same sums either way.
void Multiply(ConstRows x, MatrixView<const int16_t> w, int32_t w_magnitude_max,
              MatrixView<int64_t> z);

// A fully connected layer: z = x * weights + bias, then the activation.
struct DenseLayer {
  DenseLayer(const ModelSpec& spec, size_t layer);

  // Rows of outputs, inverse slopes unless that view is null. `z` is scratch of the outputs' shape.
  // Returns the number of outputs cut at an end of the activation's range.
  uint64_t Forward(ConstRows x, MatrixView<int64_t> z, Rows a,
                   MatrixView<uint8_t> inverse_slopes) const;

  uint32_t inputs;
  uint32_t units;
  int32_t weight_limit;
  LayerActivation activation;
  Tensor<int16_t> weights;  // [inputs, units]
  Tensor<int16_t> bias;     // [units]
};

struct Network {
  explicit Network(const ModelSpec& spec);

  InputStage input;
  std::vector<DenseLayer> layers;
};

// Element (row, column) of the outputs.
int64_t OutputAt(ConstRows outputs, size_t row, size_t column);

// The L2 loss of one row: DivTrunc(error^2, 2), summed. An error is output minus wanted output.
int64_t RowLoss(std::span<const int64_t> errors);

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_NETWORK_H_
