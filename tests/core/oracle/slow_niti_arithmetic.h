// NITI's arithmetic a second time, slowly: int64, divisions and powers of two instead of shifts,
// written from the specification and not from core.
//
//   bits(m)      binary digits of m, bits(0) = 0
//   clip         to [-127, 127]
//   RoundShift   m = |x|: floor(m / 2^k), up if the rest is at least 2^(k-1); sign of x; clip
//   PstoShift    the rest f against itself: up if its upper digits exceed its lower h = floor(k/2)
//                ones, these doubled if k is odd; sign of x; clip
//   ranges       bits(max - 1), 0 for max = 0; a gradient's range of 1 is 1

#ifndef TALLY_TESTS_CORE_ORACLE_SLOW_NITI_ARITHMETIC_H_
#define TALLY_TESTS_CORE_ORACLE_SLOW_NITI_ARITHMETIC_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tally::oracle {

uint64_t SlowSplitMix64(uint64_t x);

int64_t Clip127(int64_t x);
int64_t MaxMagnitude(const std::vector<int64_t>& values);
int64_t ActivationRange(int64_t max_magnitude);
int64_t GradientRange(int64_t max_magnitude);

// Before the clip; k >= 1.
int64_t RoundShiftUnclipped(int64_t x, int64_t k);
int64_t PstoShiftUnclipped(int64_t x, int64_t k);
int64_t RoundShift(int64_t x, int64_t k);
int64_t PstoShift(int64_t x, int64_t k);

// As the published code casts to int8 what needs no shift: 128 becomes -128.
int64_t Wrapped(int64_t x);

// To int8 as a whole, in place; returns by how much the exponent grows. `wraps`: see Wrapped.
int64_t Requantise(std::vector<int64_t>& values, bool wraps = false);

// What is subtracted from an int8 weight for gradient `g` of a tensor shifted by `k`.
int64_t UpdateStep(int64_t g, int64_t k);

// x * 2^exponent, toward zero.
int64_t TimesPowerOfTwo(int64_t x, int64_t exponent);

// 2^-(i / 256), i in [0, 256), in units of 2^-31: the product of 2^-(1/2), 2^-(1/4) .. for the
// digits of i from the highest on, truncated after each; these are roots of roots, truncated too.
int64_t PowerOfFraction(int64_t i);

// The softmax in units of 1 / 2048, truncated, of powers of two whose exponents o * 2^exponent *
// 47274 / 32768 are rounded to 1/256 (halves away from zero), the largest being 2^30, each
// truncated; below 2^0 none is left. Then the true class's correction as below.
std::vector<int64_t> FineLossGradient(const std::vector<int64_t>& logits, int64_t exponent,
                                      size_t label);

// One row of the integer cross-entropy: g after the true class's correction, in 1/2048.
std::vector<int64_t> LossGradient(const std::vector<int64_t>& logits, int64_t exponent,
                                  size_t label);

}  // namespace tally::oracle

#endif  // TALLY_TESTS_CORE_ORACLE_SLOW_NITI_ARITHMETIC_H_
