// PocketNN's activations: piecewise linear, with inverse slopes, so that back-propagation is a
// division. Source: Song et al., "PocketNN", arXiv:2201.02863, and the published code.

#ifndef TALLY_CORE_ALGORITHMS_POCKETNN_ACTIVATIONS_H_
#define TALLY_CORE_ALGORITHMS_POCKETNN_ACTIVATIONS_H_

#include <cstdint>
#include <span>

#include "core/arithmetic/division.h"
#include "core/kernels/elementwise.h"
#include "core/learner/model_spec.h"

namespace tally::pocketnn {

// Whether outputs may exceed 16 bits: those of kRescale and kAsIs grow with the layers below.
bool HasWideOutput(Activation activation);

// Largest magnitude of an output when no |z| exceeds `z_max`.
uint64_t OutputMagnitudeMax(Activation activation, uint64_t z_max);

// One layer's activation, prepared.
//
//   kPocketTanh      x = DivTrunc(z, 256 * inputs), five segments onto [-127, 127]
//   kPocketSigmoid   x = DivTrunc(z, 256), five segments onto [1, 127]
//   kPocketRelu8     x = DivTrunc(z, 256) cut to [0, 127], dead outside; the published code leaves
//   the
//                    division to an external rescaling and has x = z
//   kPocketLeakyRelu z, and z / 5 below 0, cut to +-32767 and dead beyond
//   kRescale         DivTrunc(z, 256)
//   kAsIs            z
class LayerActivation {
 public:
  LayerActivation(Activation activation, uint32_t inputs, PocketNnProfile profile);

  bool wide() const { return HasWideOutput(activation_); }

  // Outputs of an activation that is not wide, and the inverse slopes unless that span is empty.
  // Returns the number of outputs cut at an end of the range.
  uint64_t Apply(std::span<const int32_t> z, std::span<int16_t> a,
                 std::span<uint8_t> slope_codes) const;
  uint64_t Apply(std::span<const int64_t> z, std::span<int16_t> a,
                 std::span<uint8_t> slope_codes) const;

  // The same for a wide one. None of its outputs is ever cut.
  void ApplyWide(std::span<const int32_t> z, std::span<int64_t> a,
                 std::span<uint8_t> slope_codes) const;
  void ApplyWide(std::span<const int64_t> z, std::span<int64_t> a,
                 std::span<uint8_t> slope_codes) const;

 private:
  Activation activation_;
  TruncDivider64 divider_;
  TruncDivider32
      narrow_divider_;  // for |z| < 2^31 - 1, where a divisor beyond gives 0 as that does
  const kernels::ActivationTable* table_;  // null where the output is not a function of 257 steps
};

}  // namespace tally::pocketnn

#endif  // TALLY_CORE_ALGORITHMS_POCKETNN_ACTIVATIONS_H_
