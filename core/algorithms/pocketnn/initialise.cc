// Direct feedback starts from weights of zero: it does not need them to pass blame down.
// Back-propagation starts from uniform values in [-r, r] without 0, as do the feedback matrices.

#include "core/algorithms/pocketnn/initialise.h"

#include <algorithm>
#include <span>

#include "core/algorithms/pocketnn/bounds.h"
#include "core/algorithms/pocketnn/learner.h"
#include "core/arithmetic/philox.h"

namespace tally::pocketnn {
namespace {

// Element i is draw i of [0, 2r): the lower half are the negative values, the upper the positive
// ones.
void FillUniform(uint64_t seed, uint32_t tensor, uint32_t magnitude, std::span<int16_t> values) {
  UniformDraws draws(seed, 0, tensor);
  const int32_t r = static_cast<int32_t>(magnitude);
  for (size_t i = 0; i < values.size(); ++i) {
    const int32_t draw = static_cast<int32_t>(draws.At(i, 2 * magnitude));
    values[i] = static_cast<int16_t>(draw < r ? draw - r : draw - r + 1);
  }
}

// The published rule: draw until it is not 0.
void FillFromReference(GlibcRandom& random, uint32_t magnitude, std::span<int16_t> values) {
  for (int16_t& value : values) {
    int32_t drawn = 0;
    while (drawn == 0) {
      drawn = static_cast<int32_t>(random.Next() % (2 * magnitude + 1)) -
              static_cast<int32_t>(magnitude);
    }
    value = static_cast<int16_t>(drawn);
  }
}

// Fills a packed matrix in the order of its plain layout.
template <class Fill>
void FillPacked(kernels::PackedMatrix<int16_t>& packed, const Fill& fill) {
  Tensor<int16_t> plain(Shape({packed.rows(), packed.columns()}));
  fill(plain.elements());
  packed.Pack(plain.matrix());
}

}  // namespace

bool HasFeedback(const ModelSpec& spec, size_t layer) {
  return spec.pocketnn.training == CreditAssignment::kDirectFeedback &&
         layer + 1 < spec.layers.size();
}

uint32_t FeedbackMagnitude(const ModelSpec& spec, size_t layer) {
  const uint64_t inputs = layer == 0 ? spec.InputElements() : spec.layers[layer - 1].units;
  return InitialMagnitude(inputs, spec.layers[layer].units);
}

uint32_t StartMagnitude(const ModelSpec& spec, size_t layer) {
  // The bounds of every sum rest on weights that never exceed the limit, from the first step on.
  return std::min(FeedbackMagnitude(spec, layer), spec.pocketnn.weight_limit);
}

void PocketNnLearner::InitialiseWeights() {
  if (spec_.pocketnn.training == CreditAssignment::kDirectFeedback) {
    return;
  }
  for (size_t l = 0; l < training_.size(); ++l) {
    const uint32_t magnitude = StartMagnitude(spec_, l);
    DenseLayer& layer = network_.layers[l];
    FillPacked(layer.weights, [&](std::span<int16_t> values) {
      FillUniform(spec_.seed, TensorId(l, TensorUse::kWeightStart), magnitude, values);
    });
    layer.FindWeightMagnitude();
    FillUniform(spec_.seed, TensorId(l, TensorUse::kBiasStart), magnitude, layer.bias.elements());
  }
}

void PocketNnLearner::InitialiseFeedback() {
  for (size_t l = 0; l < training_.size(); ++l) {
    if (HasFeedback(spec_, l)) {
      FillPacked(training_[l].feedback, [&](std::span<int16_t> values) {
        FillUniform(spec_.seed, TensorId(l, TensorUse::kFeedback), FeedbackMagnitude(spec_, l),
                    values);
      });
    }
  }
}

void PocketNnLearner::DrawReferenceWeights() {
  if (spec_.pocketnn.training == CreditAssignment::kDirectFeedback) {
    return;
  }
  for (size_t l = 0; l < training_.size(); ++l) {
    // For the other activations the published initialisation does nothing.
    const Activation activation = spec_.layers[l].activation;
    if (activation == Activation::kPocketTanh || activation == Activation::kPocketRelu8 ||
        activation == Activation::kPocketLeakyRelu) {
      DenseLayer& layer = network_.layers[l];
      const uint32_t magnitude = StartMagnitude(spec_, l);
      FillPacked(layer.weights, [&](std::span<int16_t> values) {
        FillFromReference(*options_.reference_random, magnitude, values);
      });
      layer.FindWeightMagnitude();
      FillFromReference(*options_.reference_random, magnitude, layer.bias.elements());
    }
  }
}

void PocketNnLearner::DrawReferenceFeedback() {
  for (size_t l = training_.size(); l-- > 0;) {
    if (HasFeedback(spec_, l)) {
      FillPacked(training_[l].feedback, [&](std::span<int16_t> values) {
        FillFromReference(*options_.reference_random, FeedbackMagnitude(spec_, l), values);
      });
    }
  }
  feedback_drawn_ = true;
}

}  // namespace tally::pocketnn
