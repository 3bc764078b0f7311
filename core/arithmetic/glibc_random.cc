#include "core/arithmetic/glibc_random.h"

namespace tally {

GlibcRandom::GlibcRandom(uint32_t seed) {
  // The first words come from a multiplicative generator modulo the prime 2^31 - 1; negative states
  // of the C library's signed arithmetic are the same residues here.
  constexpr int64_t kPrime = 2147483647;
  constexpr int64_t kMultiplier = 16807;
  state_[0] = seed == 0 ? 1 : seed;
  int64_t word = static_cast<int32_t>(state_[0]);
  for (size_t i = 1; i < kDegree; ++i) {
    word = (word * kMultiplier) % kPrime;
    word = word < 0 ? word + kPrime : word;
    state_[i] = static_cast<uint32_t>(word);
  }
  constexpr size_t kDiscarded = 10 * kDegree;
  for (size_t i = 0; i < kDiscarded; ++i) {
    Next();
  }
}

uint32_t GlibcRandom::Next() {
  state_[front_] += state_[rear_];
  const uint32_t value = state_[front_] >> 1;
  front_ = (front_ + 1) % kDegree;
  rear_ = (rear_ + 1) % kDegree;
  return value;
}

}  // namespace tally
