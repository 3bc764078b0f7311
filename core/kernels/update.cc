#include "core/kernels/update.h"

#include <algorithm>
#include <cstddef>

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::kernels {
namespace {

// Cutting q at 65535 first keeps w - q within int32 and changes nothing: beyond it every w ends at
// the limit either way.
constexpr int32_t kQuotientMax = 65535;

int32_t Divide(const TruncDivider32& divider, int32_t sum) {
  return Clamp(divider.Divide(sum), -kQuotientMax, kQuotientMax);
}

// Moves one weight; returns 1 if it was cut.
inline uint32_t Move(int32_t quotient, int32_t limit, int16_t& weight) {
  const int32_t moved = weight - Clamp(quotient, -kQuotientMax, kQuotientMax);
  const int32_t kept = Clamp(moved, -limit, limit);
  weight = static_cast<int16_t>(kept);
  return moved != kept ? 1 : 0;
}

inline uint32_t Move(int64_t quotient, int32_t limit, int16_t& weight) {
  return Move(static_cast<int32_t>(Clamp<int64_t>(quotient, -kQuotientMax, kQuotientMax)), limit,
              weight);
}

// The 32-bit loops run in blocks, so that a 32-bit count of cut weights cannot wrap and the loop
// has one width of element throughout, which the vectoriser wants.
constexpr size_t kBlock = size_t{1} << 16;

template <class Sum, class Body>
uint64_t InBlocks(std::span<const Sum> sums, std::span<int16_t> weights, const Body& body) {
  TALLY_CHECK(sums.size() == weights.size());
  uint64_t cut = 0;
  for (size_t first = 0; first < sums.size(); first += kBlock) {
    cut += body(first, std::min(kBlock, sums.size() - first));
  }
  return cut;
}

uint32_t TowardZeroBlock(TruncDivider32 divider, int32_t limit, const int32_t* __restrict sums,
                         int16_t* __restrict weights, size_t count) {
  uint32_t cut = 0;
  for (size_t i = 0; i < count; ++i) {
    cut += Move(Divide(divider, sums[i]), limit, weights[i]);
  }
  return cut;
}

uint32_t ErrorFeedbackBlock(TruncDivider32 divider, int32_t limit, const int32_t* __restrict sums,
                            int32_t* __restrict residuals, int16_t* __restrict weights,
                            size_t count) {
  uint32_t cut = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t total = residuals[i] + sums[i];
    const int32_t quotient = divider.Divide(total);
    residuals[i] = total - quotient * divider.divisor();
    cut += Move(quotient, limit, weights[i]);
  }
  return cut;
}

template <class Sum, class Divider>
uint64_t Stochastic(const Divider& divider, int32_t limit, std::span<const Sum> sums,
                    UniformDraws& draws, uint64_t first_index, std::span<int16_t> weights) {
  TALLY_CHECK(sums.size() == weights.size());
  const uint32_t inverse = static_cast<uint32_t>(divider.divisor());
  uint64_t cut = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (sums[i] == 0) {
      continue;
    }
    const auto magnitude = Magnitude(sums[i]);
    const auto quotient = divider.DivideMagnitude(magnitude);
    const uint32_t remainder = static_cast<uint32_t>(magnitude - quotient * inverse);
    const uint64_t up = remainder > draws.At(first_index + i, inverse) ? 1 : 0;
    // A magnitude of 2^63 over 1 has no int64 of its own; it is far beyond any limit.
    const int64_t step = static_cast<int64_t>(
        Clamp<uint64_t>(uint64_t{quotient} + up, 0, static_cast<uint64_t>(kQuotientMax)));
    cut += Move(sums[i] < 0 ? -step : step, limit, weights[i]);
  }
  return cut;
}

}  // namespace

uint64_t UpdateTowardZero(const UpdateRule& rule, std::span<const int32_t> sums,
                          std::span<int16_t> weights) {
  return InBlocks(sums, weights, [&](size_t first, size_t count) {
    return TowardZeroBlock(rule.narrow, rule.limit, sums.data() + first, weights.data() + first,
                           count);
  });
}

uint64_t UpdateTowardZero(const UpdateRule& rule, std::span<const int64_t> sums,
                          std::span<int16_t> weights) {
  TALLY_CHECK(sums.size() == weights.size());
  uint64_t cut = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    cut += Move(rule.wide.Divide(sums[i]), rule.limit, weights[i]);
  }
  return cut;
}

uint64_t UpdateWithErrorFeedback(const UpdateRule& rule, std::span<const int32_t> sums,
                                 std::span<int32_t> residuals, std::span<int16_t> weights) {
  TALLY_CHECK(residuals.size() == weights.size());
  return InBlocks(sums, weights, [&](size_t first, size_t count) {
    return ErrorFeedbackBlock(rule.narrow, rule.limit, sums.data() + first,
                              residuals.data() + first, weights.data() + first, count);
  });
}

uint64_t UpdateWithErrorFeedback(const UpdateRule& rule, std::span<const int64_t> sums,
                                 std::span<int32_t> residuals, std::span<int16_t> weights) {
  TALLY_CHECK(sums.size() == weights.size() && residuals.size() == weights.size());
  uint64_t cut = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    const int64_t total = residuals[i] + sums[i];
    const int64_t quotient = rule.wide.Divide(total);
    residuals[i] = static_cast<int32_t>(total - quotient * rule.wide.divisor());
    cut += Move(quotient, rule.limit, weights[i]);
  }
  return cut;
}

uint64_t UpdateStochastic(const UpdateRule& rule, std::span<const int32_t> sums,
                          UniformDraws& draws, uint64_t first_index, std::span<int16_t> weights) {
  return Stochastic(rule.narrow, rule.limit, sums, draws, first_index, weights);
}

uint64_t UpdateStochastic(const UpdateRule& rule, std::span<const int64_t> sums,
                          UniformDraws& draws, uint64_t first_index, std::span<int16_t> weights) {
  return Stochastic(rule.wide, rule.limit, sums, draws, first_index, weights);
}

}  // namespace tally::kernels
