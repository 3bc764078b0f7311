// Hand-written-looking digits without a download: strokes, distorted and drawn with integers.

#ifndef TALLY_CLIENT_DATASETS_SYNTHETIC_DIGITS_H_
#define TALLY_CLIENT_DATASETS_SYNTHETIC_DIGITS_H_

#include <cstdint>

#include "client/datasets/dataset.h"

namespace tally {

// Images [28,28] of uint8, 0 the background, labels 0 to 9 at random. Image i of (seed, part) is
// the same whatever `count` is; different parts share no image (0 for training, 1 for the test).
//
// Each image takes one of several ways to write its digit and moves every control point; rounds the
// corners; turns, shears, stretches and shifts the whole; and draws it with a pen of varying width,
// ink and noise. The variety is chosen so that no linear model reaches 90 %, while a small network
// passes 95 % (tests/accuracy measures both).
Dataset DrawDigits(uint64_t seed, uint32_t part, uint32_t count);

}  // namespace tally

#endif  // TALLY_CLIENT_DATASETS_SYNTHETIC_DIGITS_H_
