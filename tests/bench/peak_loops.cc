#include "tests/bench/peak_loops.h"

namespace tally::bench {

#if defined(__x86_64__)

namespace {

// Twelve independent sums: more than latency times throughput of any of these instructions.
// Register 15 is the factor, 12 to 14 are for products; what they hold does not matter. The
// assembler takes the place of the compiler, which could see through the loop, or spill.
constexpr double kSums = 12;

#define TALLY_PEAK_LOOP(name, step)                                                              \
  void name(size_t turns) {                                                                      \
    if (turns == 0) return;                                                                      \
    asm volatile("1:\n\t" step("0", "12") step("1", "13") step("2", "14") step("3", "12") step(  \
                     "4", "13") step("5", "14") step("6", "12") step("7", "13") step("8", "14")  \
                     step("9", "12") step("10", "13") step("11", "14") "dec %0\n\tjnz 1b"        \
                 : "+r"(turns)                                                                   \
                 :                                                                               \
                 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
                   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                \
  }

#define TALLY_VPDPBUSD(sum, product) "vpdpbusd %%zmm15, %%zmm15, %%zmm" sum "\n\t"
#define TALLY_VPDPWSSD(sum, product) "vpdpwssd %%zmm15, %%zmm15, %%zmm" sum "\n\t"
#define TALLY_VPMADDWD(sum, product)         \
  "vpmaddwd %%ymm15, %%ymm15, %%ymm" product \
  "\n\t"                                     \
  "vpaddd %%ymm" product ", %%ymm" sum ", %%ymm" sum "\n\t"
#define TALLY_PMADDWD(sum, product) \
  "movdqa %%xmm15, %%xmm" product   \
  "\n\t"                            \
  "pmaddwd %%xmm15, %%xmm" product  \
  "\n\t"                            \
  "paddd %%xmm" product ", %%xmm" sum "\n\t"

TALLY_PEAK_LOOP(Vpdpbusd, TALLY_VPDPBUSD)
TALLY_PEAK_LOOP(Vpdpwssd, TALLY_VPDPWSSD)
TALLY_PEAK_LOOP(Vpmaddwd, TALLY_VPMADDWD)
TALLY_PEAK_LOOP(Pmaddwd, TALLY_PMADDWD)

}  // namespace

PeakLoop Int8Peak(kernels::Level level) {
  if (level == kernels::Level::kAvx512) return {"vpdpbusd zmm", Vpdpbusd, kSums * 64};
  return Int16Peak(level);
}

PeakLoop Int16Peak(kernels::Level level) {
  switch (level) {
    case kernels::Level::kAvx512:
      return {"vpdpwssd zmm", Vpdpwssd, kSums * 32};
    case kernels::Level::kAvx2:
      return {"vpmaddwd ymm", Vpmaddwd, kSums * 16};
    case kernels::Level::kSse2:
      return {"pmaddwd xmm", Pmaddwd, kSums * 8};
    default:
      return {nullptr, nullptr, 0};
  }
}

#else

PeakLoop Int8Peak(kernels::Level) { return {nullptr, nullptr, 0}; }
PeakLoop Int16Peak(kernels::Level) { return {nullptr, nullptr, 0}; }

#endif

}  // namespace tally::bench
