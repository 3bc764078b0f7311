// A parsed document of integers, booleans, strings, lists and maps, with the place of every value.
//
// Both parsers refuse what an integer-only configuration must not hold: floating-point numbers,
// octal-looking integers (0123), duplicate keys, null, anchors, aliases, tags and merge keys, and
// nesting deeper than 32.

#ifndef TALLY_CORE_TEXT_VALUE_H_
#define TALLY_CORE_TEXT_VALUE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace tally::text {

struct Value;
struct Entry;
using List = std::vector<Value>;
using Map = std::vector<Entry>;  // in document order, keys unique

// An integer literal is kept as sign and magnitude so that the whole of int64 and uint64 fits.
struct Integer {
  bool negative = false;
  uint64_t magnitude = 0;
};

struct Value {
  std::variant<bool, Integer, std::string, List, Map> data;
  std::string origin;  // file name, or "request" and the like
  int32_t line = 0;    // 1-based; 0 where the format has no lines worth naming (one-line JSON)
};

// One key of a map. Not a std::pair: its constructors ask what Value can do, and Value's variant asks
// the same of its vectors, a circle that clang 14 refuses.
struct Entry {
  std::string key;
  Value value;
};

// YAML 1.2 core scalars: true/false; [-+]?[0-9]+ is an integer, as are 0x and 0o forms; quoted
// scalars and everything else are strings. One document only. Empty text is an empty map. Errors:
// INVALID_ARGUMENT "origin:line: what, which value, what was expected".
absl::StatusOr<Value> ParseYaml(std::string_view yaml, std::string_view origin);

// JSON (RFC 8259) without floating-point numbers and null; UTF-8 is checked.
absl::StatusOr<Value> ParseJson(std::string_view json, std::string_view origin);

// `s` as a JSON string literal with quotes; control characters, quote and backslash escaped.
std::string JsonQuote(std::string_view s);

}  // namespace tally::text

#endif  // TALLY_CORE_TEXT_VALUE_H_
