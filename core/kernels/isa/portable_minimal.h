// The transforms of minimal filtering in plain loops. Included once a unit, so that each level's
// compiler flags vectorise them; hence the unnamed namespace.

#ifndef TALLY_CORE_KERNELS_ISA_PORTABLE_MINIMAL_H_
#define TALLY_CORE_KERNELS_ISA_PORTABLE_MINIMAL_H_

#include <cstddef>
#include <cstdint>

#include "core/kernels/minimal_table.h"

namespace tally::kernels {
namespace {  // NOLINT: see above

// A column or row of four elements before and after B^T.
struct Four {
  int16_t a, b, c, d;
};

[[gnu::always_inline]] inline int16_t Plus(int16_t x, int16_t y) {
  return static_cast<int16_t>(x + y);
}
[[gnu::always_inline]] inline int16_t Minus(int16_t x, int16_t y) {
  return static_cast<int16_t>(x - y);
}
[[gnu::always_inline]] inline Four ApplyB(int16_t a, int16_t b, int16_t c, int16_t d) {
  return {Minus(a, c), Plus(b, c), Minus(c, b), Minus(b, d)};
}

void TransformPixels(const int8_t* const (&pixels)[16], size_t channels, int16_t* out,
                     size_t stride) {
  const int8_t* p0 = pixels[0];
  const int8_t* p1 = pixels[1];
  const int8_t* p2 = pixels[2];
  const int8_t* p3 = pixels[3];
  const int8_t* p4 = pixels[4];
  const int8_t* p5 = pixels[5];
  const int8_t* p6 = pixels[6];
  const int8_t* p7 = pixels[7];
  const int8_t* p8 = pixels[8];
  const int8_t* p9 = pixels[9];
  const int8_t* p10 = pixels[10];
  const int8_t* p11 = pixels[11];
  const int8_t* p12 = pixels[12];
  const int8_t* p13 = pixels[13];
  const int8_t* p14 = pixels[14];
  const int8_t* p15 = pixels[15];
#pragma GCC ivdep
  for (size_t i = 0; i < channels; ++i) {
    const Four c0 = ApplyB(p0[i], p4[i], p8[i], p12[i]);
    const Four c1 = ApplyB(p1[i], p5[i], p9[i], p13[i]);
    const Four c2 = ApplyB(p2[i], p6[i], p10[i], p14[i]);
    const Four c3 = ApplyB(p3[i], p7[i], p11[i], p15[i]);
    const Four r0 = ApplyB(c0.a, c1.a, c2.a, c3.a);
    const Four r1 = ApplyB(c0.b, c1.b, c2.b, c3.b);
    const Four r2 = ApplyB(c0.c, c1.c, c2.c, c3.c);
    const Four r3 = ApplyB(c0.d, c1.d, c2.d, c3.d);
    int16_t* to = out + i;
    to[0] = r0.a;
    to[stride] = r0.b;
    to[2 * stride] = r0.c;
    to[3 * stride] = r0.d;
    to[4 * stride] = r1.a;
    to[5 * stride] = r1.b;
    to[6 * stride] = r1.c;
    to[7 * stride] = r1.d;
    to[8 * stride] = r2.a;
    to[9 * stride] = r2.b;
    to[10 * stride] = r2.c;
    to[11 * stride] = r2.d;
    to[12 * stride] = r3.a;
    to[13 * stride] = r3.b;
    to[14 * stride] = r3.c;
    to[15 * stride] = r3.d;
  }
}

[[gnu::always_inline]] inline Four ApplyG(int16_t a, int16_t b, int16_t c) {
  const int16_t ends = Plus(a, c);
  return {Plus(a, a), Plus(ends, b), Minus(ends, b), Plus(c, c)};
}

void TransformTaps(const int8_t (&taps)[9][16], int16_t* out, size_t stride) {
  int16_t results[16][16];
  for (size_t i = 0; i < 16; ++i) {
    const Four c0 = ApplyG(taps[0][i], taps[3][i], taps[6][i]);
    const Four c1 = ApplyG(taps[1][i], taps[4][i], taps[7][i]);
    const Four c2 = ApplyG(taps[2][i], taps[5][i], taps[8][i]);
    const Four rows[4] = {ApplyG(c0.a, c1.a, c2.a), ApplyG(c0.b, c1.b, c2.b),
                          ApplyG(c0.c, c1.c, c2.c), ApplyG(c0.d, c1.d, c2.d)};
    for (size_t r = 0; r < 4; ++r) {
      results[4 * r][i] = rows[r].a;
      results[4 * r + 1][i] = rows[r].b;
      results[4 * r + 2][i] = rows[r].c;
      results[4 * r + 3][i] = rows[r].d;
    }
  }
  for (size_t r = 0; r < 16; ++r) {
    for (size_t i = 0; i < 16; ++i) out[r * stride + 2 * i] = results[r][i];
  }
}

// As wide as the level's registers; written out because GCC 12 does not vectorise the plain loop.
#ifdef __AVX2__
using Sums [[gnu::vector_size(32), gnu::aligned(4), gnu::may_alias]] = int32_t;
using Wrapping [[gnu::vector_size(32)]] = uint32_t;
#else
using Sums [[gnu::vector_size(16), gnu::aligned(4), gnu::may_alias]] = int32_t;
using Wrapping [[gnu::vector_size(16)]] = uint32_t;
#endif

[[gnu::always_inline]] inline Wrapping LoadSums(const int32_t* from) {
  return reinterpret_cast<Wrapping>(*reinterpret_cast<const Sums*>(from));
}
[[gnu::always_inline]] inline void StoreQuarter(Wrapping sums, int32_t* to) {
  *reinterpret_cast<Sums*>(to) = reinterpret_cast<Sums>(sums) >> 2;
}

// Sums may pass int32 on the way; they wrap there and back.
void TransformSums(const int32_t* sums, size_t stride, int32_t* const (&out)[4]) {
  constexpr size_t kLanes = sizeof(Wrapping) / sizeof(int32_t);
  for (size_t i = 0; i < 16; i += kLanes) {
    Wrapping upper[4];
    Wrapping lower[4];
#pragma GCC unroll 4
    for (size_t c = 0; c < 4; ++c) {
      const int32_t* m = sums + c * stride + i;
      const Wrapping m1 = LoadSums(m + 4 * stride);
      const Wrapping m2 = LoadSums(m + 8 * stride);
      upper[c] = LoadSums(m) + m1 + m2;
      lower[c] = m1 - m2 - LoadSums(m + 12 * stride);
    }
    StoreQuarter(upper[0] + upper[1] + upper[2], out[0] + i);
    StoreQuarter(upper[1] - upper[2] - upper[3], out[1] + i);
    StoreQuarter(lower[0] + lower[1] + lower[2], out[2] + i);
    StoreQuarter(lower[1] - lower[2] - lower[3], out[3] + i);
  }
}

}  // namespace
}  // namespace tally::kernels

#endif  // TALLY_CORE_KERNELS_ISA_PORTABLE_MINIMAL_H_
