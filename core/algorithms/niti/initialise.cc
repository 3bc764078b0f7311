#include "core/algorithms/niti/initialise.h"

#include <algorithm>

#include "core/arithmetic/philox.h"
#include "core/kernels/requantise.h"

namespace tally::niti {
namespace {

// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
uint64_t SplitMix64(uint64_t x) {
  uint64_t z = x + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

int8_t GoldenWeight(uint64_t number, uint64_t index) {
  const auto byte = static_cast<int8_t>(SplitMix64((number << 32) + index) >> 56);
  return std::max<int8_t>(byte, -kernels::kMantissaMax);
}

}  // namespace

void InitialiseWeights(const ModelSpec& spec, size_t number, Stage& stage) {
  const bool golden = spec.niti.profile == NitiProfile::kGolden;
  UniformDraws draws(spec.seed, 0, TensorId(stage.layer, TensorUse::kWeightStart));
  uint64_t index = 0;
  for (size_t j = 0; j < stage.units; ++j) {
    for (size_t k = 0; k < stage.fan_in; ++k, ++index) {
      const int32_t draw = static_cast<int32_t>(draws.At(index, 255));
      stage.weights.At(k, j) =
          golden ? GoldenWeight(number, index) : static_cast<int8_t>(draw - kernels::kMantissaMax);
    }
  }
}

}  // namespace tally::niti
