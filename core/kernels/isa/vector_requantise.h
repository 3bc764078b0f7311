// The update of packed int8 weights with registers of 16 bytes. Included once a unit, as
// portable_requantise.h is.

#ifndef TALLY_CORE_KERNELS_ISA_VECTOR_REQUANTISE_H_
#define TALLY_CORE_KERNELS_ISA_VECTOR_REQUANTISE_H_

#include "core/kernels/isa/portable_requantise.h"
#include "core/kernels/isa/vector_packing.h"

namespace tally::kernels {
namespace {  // NOLINT: see portable_requantise.h

void SubtractVectors(const int8_t* steps, size_t lines, int8_t* weights) {
  const std::byte* rows = reinterpret_cast<const std::byte*>(steps);
  for (size_t l = 0; l < lines; ++l) {
    alignas(64) int8_t line[64];
    PackLineInt8({rows, rows + 16, rows + 32, rows + 48}, reinterpret_cast<std::byte*>(line));
    for (size_t i = 0; i < 64; ++i) weights[i] = SubtractOne(weights[i], line[i]);
    rows += 64;
    weights += 64;
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_VECTOR_REQUANTISE_H_
