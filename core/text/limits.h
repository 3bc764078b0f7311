// Bounds on any text Tally parses, so that a hostile document costs bounded memory and stack.

#ifndef TALLY_CORE_TEXT_LIMITS_H_
#define TALLY_CORE_TEXT_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace tally::text {

inline constexpr int32_t kDepthMax = 32;  // lists and maps inside each other
// Two constants for each of 1 Mi input elements, and as much again for everything else.
inline constexpr size_t kValuesMax = size_t{4} << 20;
inline constexpr size_t kJsonBytesMax = 100'000'000;  // a safetensors header's limit
inline constexpr size_t kYamlBytesMax = size_t{16} << 20;

}  // namespace tally::text

#endif  // TALLY_CORE_TEXT_LIMITS_H_
