// absl::StrCat and absl::StrAppend that take std::string_view too: Debian builds Abseil with a
// string_view class of its own, to which std::string converts and std::string_view does not.

#ifndef TALLY_CORE_TEXT_STRINGS_H_
#define TALLY_CORE_TEXT_STRINGS_H_

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tally::text {

inline absl::string_view AbslView(std::string_view s) {
  return absl::string_view(s.data(), s.size());
}

template <typename T>
inline const T& StrCatPart(const T& part) {
  return part;
}
inline absl::string_view StrCatPart(std::string_view part) { return AbslView(part); }
// The exact match keeps std::string and literals from being ambiguous.
inline const std::string& StrCatPart(const std::string& part) { return part; }

template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  return absl::StrCat(StrCatPart(parts)...);
}

template <typename... Parts>
void StrAppend(std::string* out, const Parts&... parts) {
  absl::StrAppend(out, StrCatPart(parts)...);
}

}  // namespace tally::text

#endif  // TALLY_CORE_TEXT_STRINGS_H_
