// The rand() of the GNU C library, in integers of our own, so that the published PocketNN program
// can be repeated on every platform.

#ifndef TALLY_CORE_ARITHMETIC_GLIBC_RANDOM_H_
#define TALLY_CORE_ARITHMETIC_GLIBC_RANDOM_H_

#include <array>
#include <cstddef>
#include <cstdint>

namespace tally {

// The additive-feedback generator TYPE_3 (x^31 + x^3 + 1) behind rand(). Not for new algorithms:
// use UniformDraws there.
class GlibcRandom {
 public:
  // A program that never calls srand() has seed 1.
  explicit GlibcRandom(uint32_t seed = 1);

  // The next value of rand(), in [0, 2^31 - 1].
  uint32_t Next();

 private:
  static constexpr size_t kDegree = 31;
  static constexpr size_t kSeparation = 3;

  std::array<uint32_t, kDegree> state_;
  size_t front_ = kSeparation;
  size_t rear_ = 0;
};

}  // namespace tally

#endif  // TALLY_CORE_ARITHMETIC_GLIBC_RANDOM_H_
