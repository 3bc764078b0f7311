// A layer with weights and what follows it up to the next one: the unit in which a NITI network is
// computed. Sums of int8 products are exact in int32; what is done with them is up to the caller.

#ifndef TALLY_CORE_ALGORITHMS_NITI_STAGE_H_
#define TALLY_CORE_ALGORITHMS_NITI_STAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/kernels/convolution.h"
#include "core/kernels/packed_gemm.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/panel_sums.h"
#include "core/kernels/pooling.h"
#include "core/learner/layer_shapes.h"
#include "core/learner/model_spec.h"
#include "core/tensor/matrix_view.h"

namespace tally::niti {

// Pooling or dropout after the activation.
struct Follower {
  LayerKind kind;
  size_t layer;  // its place among the layers of the spec
  size_t in_elements;
  size_t out_elements;
  kernels::PoolingShape pool;  // kMaxPool
  uint32_t drop_permille = 0;  // kDropout
  // kDropout: added to the exponent in training, since what is left stands for the whole.
  int32_t exponent = 0;
};

struct Stage {
  // `layer` has weights; followers up to the next such layer belong to it.
  Stage(const ModelSpec& spec, const std::vector<LayerShape>& shapes, size_t layer);

  // Elements of one row of sums, before the followers.
  size_t sum_elements() const { return positions * units; }

  // x [n, in_elements]   z [n * positions, units]
  // Scratch (ScratchElements) makes it and PassBack faster.
  void Multiply(MatrixView<const int8_t> x, MatrixView<int32_t> z,
                kernels::RowsDone done = kernels::IgnoreRows,
                std::span<int16_t> scratch = {}) const;
  // The gradient of the sums with respect to x.   d [n * positions, units]   e [n, in_elements]
  void PassBack(MatrixView<const int8_t> d, MatrixView<int32_t> e,
                std::span<int16_t> scratch = {}) const;
  // The gradient with respect to the weights, over all rows.   sums [fan_in, units]
  template <class Sum>
  void Gradient(MatrixView<const int8_t> x, MatrixView<const int8_t> d,
                kernels::PanelSums<Sum>& sums) const;

  size_t layer;
  LayerKind kind;
  bool relu;
  size_t in_elements;  // of a row
  size_t positions;    // of the kernel in an image; 1 for a dense layer
  size_t units;
  size_t fan_in;                          // products in a sum
  size_t out_elements;                    // of a row, after the followers
  int32_t exponent;                       // of the weights; never changes
  kernels::ConvolutionShape convolution;  // of kConv2d
  kernels::PackedMatrix<int8_t> weights;  // [fan_in, units]
  std::vector<Follower> followers;
};

// What kernels want besides for a layer with weights; depends on the machine.
size_t ScratchElements(const LayerSpec& layer, const LayerShape& shape);

// One after the other; the first begins with layer 0.
std::vector<Stage> MakeStages(const ModelSpec& spec);

// -n - 7, n the largest integer with 6 * 4^n <= fan_in + fan_out: the uniform distribution of
// Glorot and Bengio, its bound raised to the next power of two. fan_out of a convolution is what
// one input element reaches: kernel area times units.
int32_t WeightExponent(uint64_t fan_in, uint64_t fan_out);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_STAGE_H_
