// UTF-8, as RFC 3629 defines it.

#ifndef TALLY_CORE_TEXT_UTF8_H_
#define TALLY_CORE_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tally::text {

// Offset of the first byte that is not part of well-formed UTF-8, or text.size() if all of it is.
// Overlong forms, surrogates and code points above U+10FFFF are not well formed.
size_t FirstInvalidUtf8(std::string_view text);

inline bool IsUtf8(std::string_view text) { return FirstInvalidUtf8(text) == text.size(); }

// Appends a code point (a Unicode scalar value) as UTF-8.
void AppendUtf8(uint32_t code_point, std::string& out);

}  // namespace tally::text

#endif  // TALLY_CORE_TEXT_UTF8_H_
