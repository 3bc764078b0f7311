#include "core/kernels/standardise.h"

#include "core/arithmetic/check.h"
#include "core/arithmetic/rounding.h"

namespace tally::kernels {
namespace {

constexpr int32_t kOutputMax = 127;
constexpr size_t kTableSize = 256;

// From this distance on the result is 127 whatever the constants: 2^23 / 65535 > 128. Distances are
// cut here, and means where every distance is beyond, so that all products fit int32.
constexpr int32_t kDistanceMax = 1 << 23;
constexpr int32_t kMeanMax = 1 << 24;

inline int16_t StandardiseOne(int16_t x, int32_t mean, TruncDivider32 deviation, int32_t unit) {
  const int32_t distance = Clamp(x - mean, -kDistanceMax, kDistanceMax);
  return static_cast<int16_t>(Clamp(deviation.Divide(distance * unit), -kOutputMax, kOutputMax));
}

}  // namespace

void LoadUint8(std::span<const std::byte> bytes, std::span<int16_t> elements) {
  TALLY_CHECK(bytes.size() == elements.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    elements[i] = static_cast<int16_t>(static_cast<uint8_t>(bytes[i]));
  }
}

void LoadInt8(std::span<const std::byte> bytes, std::span<int16_t> elements) {
  TALLY_CHECK(bytes.size() == elements.size());
  for (size_t i = 0; i < bytes.size(); ++i) {
    elements[i] = static_cast<int8_t>(bytes[i]);
  }
}

void LoadInt16(std::span<const std::byte> bytes, std::span<int16_t> elements) {
  TALLY_CHECK(bytes.size() == 2 * elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const uint32_t low = static_cast<uint8_t>(bytes[2 * i]);
    const uint32_t high = static_cast<uint8_t>(bytes[2 * i + 1]);
    elements[i] = static_cast<int16_t>(static_cast<uint16_t>(low | (high << 8)));
  }
}

void Standardise(int32_t mean, const TruncDivider32& deviation, int32_t unit,
                 std::span<int16_t> x) {
  const int32_t near_mean = Clamp(mean, -kMeanMax, kMeanMax);
  const TruncDivider32 divider = deviation;
  for (int16_t& element : x) {
    element = StandardiseOne(element, near_mean, divider, unit);
  }
}

void StandardiseEach(std::span<const int32_t> means, std::span<const TruncDivider32> deviations,
                     int32_t unit, std::span<int16_t> x) {
  TALLY_CHECK(means.size() == x.size() && deviations.size() == x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = StandardiseOne(x[i], Clamp(means[i], -kMeanMax, kMeanMax), deviations[i], unit);
  }
}

void NarrowToMantissas(std::span<const int16_t> elements, std::span<int8_t> mantissas) {
  TALLY_CHECK(elements.size() == mantissas.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    mantissas[i] = static_cast<int8_t>(Clamp<int32_t>(elements[i], -kOutputMax, kOutputMax));
  }
}

void LookUp(std::span<const std::byte> bytes, std::span<const int8_t> tables,
            std::span<int8_t> out) {
  TALLY_CHECK(bytes.size() == out.size() && !tables.empty());
  const size_t end = tables.size();
  size_t table = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = tables[table + static_cast<uint8_t>(bytes[i])];
    table = table + kTableSize == end ? 0 : table + kTableSize;
  }
}

}  // namespace tally::kernels
