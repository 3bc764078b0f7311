#include "core/kernels/level.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "core/arithmetic/check.h"

#if defined(__arm__) || defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace tally::kernels {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"scalar", "simd32", "neon",  "dotprod",
                                                    "sse2",   "avx2",   "avx512"};

struct UsableList {
  std::array<Level, kNames.size()> levels = {};
  size_t count = 0;

  void Add(Level level) { levels[count++] = level; }
};

#if defined(__x86_64__)

void AddMachineLevels(UsableList& list) {
  list.Add(Level::kSse2);
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) return;
  list.Add(Level::kAvx2);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")) {
    list.Add(Level::kAvx512);
  }
}

#elif defined(__aarch64__)

void AddMachineLevels(UsableList& list) {
  constexpr unsigned long kHasDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
  list.Add(Level::kNeon);
  if ((getauxval(AT_HWCAP) & kHasDotProduct) != 0) list.Add(Level::kDotProduct);
}

#elif defined(__arm__)

void AddMachineLevels(UsableList& list) {
#if defined(TALLY_HAS_SIMD32)
  // SIMD32 has no capability bit; the platform string is "v6l", "v7l", "v8l" ...
  const char* platform = reinterpret_cast<const char*>(getauxval(AT_PLATFORM));
  if (platform != nullptr && platform[0] == 'v' && platform[1] >= '6' && platform[1] <= '9') {
    list.Add(Level::kSimd32);
  }
#endif
#if defined(TALLY_HAS_NEON)
  constexpr unsigned long kHasNeon = 1ul << 12;  // HWCAP_NEON
  if ((getauxval(AT_HWCAP) & kHasNeon) != 0) list.Add(Level::kNeon);
#endif
  static_cast<void>(list);
}

#else

void AddMachineLevels(UsableList&) {}

#endif

UsableList FindUsableLevels() {
  UsableList list;
  list.Add(Level::kScalar);
  AddMachineLevels(list);
  return list;
}

bool IsUsable(Level level) {
  const auto usable = UsableLevels();
  return std::find(usable.begin(), usable.end(), level) != usable.end();
}

std::optional<Level> LevelFromName(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Level>(found - kNames.begin());
}

Level ChooseLevel() {
  if (const auto problem = LevelVariableProblem()) {
    std::fprintf(stderr, "%s\n", problem->c_str());
    std::abort();
  }
  const char* wanted = std::getenv(kLevelVariable);
  return wanted == nullptr ? UsableLevels().back() : *LevelFromName(wanted);
}

std::atomic<Level>& Active() {
  static std::atomic<Level> active(ChooseLevel());
  return active;
}

}  // namespace

std::string_view LevelName(Level level) { return kNames[static_cast<size_t>(level)]; }

std::span<const Level> UsableLevels() {
  static const UsableList list = FindUsableLevels();
  return std::span(list.levels).first(list.count);
}

std::optional<std::string> LevelVariableProblem() {
  const char* wanted = std::getenv(kLevelVariable);
  if (wanted == nullptr) return std::nullopt;
  const std::optional<Level> level = LevelFromName(wanted);
  if (level && IsUsable(*level)) return std::nullopt;
  std::string problem = std::string(kLevelVariable) + ": \"" + wanted +
                        (level ? "\" is beyond this machine" : "\" is no kernel level") +
                        "; expected one of:";
  for (const Level usable : UsableLevels()) {
    problem += " ";
    problem += LevelName(usable);
  }
  return problem;
}

Level ActiveLevel() { return Active().load(std::memory_order_relaxed); }

void SetActiveLevel(Level level) {
  TALLY_CHECK(IsUsable(level));
  Active().store(level, std::memory_order_relaxed);
}

}  // namespace tally::kernels
