// A parsed document as one line, so that tests can compare whole trees.

#ifndef TALLY_TESTS_CORE_TEXT_SHOW_H_
#define TALLY_TESTS_CORE_TEXT_SHOW_H_

#include <string>

#include "core/text/value.h"

namespace tally::text {

inline std::string Show(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<Integer>(&value.data)) {
    return (integer->negative ? "-" : "") + std::to_string(integer->magnitude);
  }
  if (const auto* string = std::get_if<std::string>(&value.data)) return JsonQuote(*string);
  std::string out;
  if (const auto* list = std::get_if<List>(&value.data)) {
    for (const Value& item : *list) out += (out.empty() ? "" : ",") + Show(item);
    return "[" + out + "]";
  }
  for (const auto& [key, item] : std::get<Map>(value.data)) {
    out += (out.empty() ? "" : ",") + JsonQuote(key) + ":" + Show(item);
  }
  return "{" + out + "}";
}

// The tree, or the error's message.
inline std::string Show(const absl::StatusOr<Value>& value) {
  return value.ok() ? Show(*value) : std::string(value.status().message());
}

}  // namespace tally::text

#endif  // TALLY_TESTS_CORE_TEXT_SHOW_H_
