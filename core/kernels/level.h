// Instruction-set levels: which machine-specific versions of the inner loops there are, and which
// one this process uses. Every level gives the same bits.

#ifndef TALLY_CORE_KERNELS_LEVEL_H_
#define TALLY_CORE_KERNELS_LEVEL_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tally::kernels {

// Within an architecture a later level is a faster one.
enum class Level : uint8_t {
  kScalar,      // portable C++, the definition; everywhere
  kSimd32,      // ARMv6: pairs of 16-bit products in a general register
  kNeon,        // ARMv7 and ARMv8: 128-bit vectors
  kDotProduct,  // ARMv8.2: sums of four 8-bit products a lane
  kSse2,        // x86-64: 128-bit vectors
  kAvx2,        // 256-bit vectors
  kAvx512,      // 512-bit vectors with VNNI: sums of four 8-bit or two 16-bit products a lane
};

// "scalar", "simd32", "neon", "dotprod", "sse2", "avx2", "avx512".
std::string_view LevelName(Level level);

// The levels that are compiled in and that this CPU can run, slowest first; kScalar is always the
// first.
std::span<const Level> UsableLevels();

// The environment variable that names a level to use instead of the fastest.
inline constexpr char kLevelVariable[] = "TALLY_KERNEL_LEVEL";

// What is wrong with the value of that variable, for programs to say at their start; nothing if it
// is unset or names a usable level.
std::optional<std::string> LevelVariableProblem();

// The level that kernels use: the fastest usable one, or what the variable names. Chosen at the
// first call; aborts if the variable has a problem. Thread-safe.
Level ActiveLevel();

// Tests and benchmarks only: uses another usable level from now on. Not while kernels run.
void SetActiveLevel(Level level);

}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_LEVEL_H_
