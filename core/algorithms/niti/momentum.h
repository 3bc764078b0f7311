// A velocity for each weight: steps in the scale of the loss, smoothed over mini-batches.
//
// With G the exponent that makes a sum the derivative of the mean loss of a mini-batch by its
// weight, and units of 2^-16 of an 8-bit weight:
//
//   push      p = sum * 2^(mu + G - U), U the exponent of the unit; cut to +-2^24
//             q = v16 * 2^(8 + mu - decay_bits), if weights decay; v16 the 16-bit weight
//   velocity  v = v - RoundShift(v, momentum_bits) + p + q
//   step      v16 = clip(v16 - PstoShift(v, 8))
//
// Powers below 1 are PstoShifts, of at most 62 bits, powers above 1 are exact, of at most 31. That
// is gradient descent with the momentum 1 - 2^-momentum_bits, the learning rate 2^mu and the weight
// decay 2^-decay_bits.

#ifndef TALLY_CORE_ALGORITHMS_NITI_MOMENTUM_H_
#define TALLY_CORE_ALGORITHMS_NITI_MOMENTUM_H_

#include <cstdint>

namespace tally::niti {

inline constexpr int32_t kVelocityBits = 8;  // finer than 16-bit weights
inline constexpr int32_t kPushMax = 1 << 24;

// |v| stays within it with up to 5 momentum bits: the most that is added, kPushMax and a decay of
// at most 2^15 * 2^15 cut to kPushMax, is no more than 2^-5 of it.
inline constexpr int32_t kVelocityMax = 1 << 30;

// x * 2^power as above, cut to +-kPushMax.
int32_t Push(int64_t x, int32_t power);

}  // namespace tally::niti

#endif  // TALLY_CORE_ALGORITHMS_NITI_MOMENTUM_H_
