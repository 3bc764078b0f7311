#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "core/text/limits.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/utf8.h"
#include "core/text/value.h"

namespace tally::text {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// A recursive-descent parser over the whole text. Every method that can fail returns a Status and
// leaves `at_` where the error is.
class JsonParser {
 public:
  JsonParser(std::string_view text, std::string_view origin) : text_(text), origin_(origin) {
    has_lines_ = text.find('\n') != std::string_view::npos;
  }

  absl::StatusOr<Value> Parse();

 private:
  absl::Status Error(std::string_view what) const;
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  void SkipSpace();
  bool Take(char c);
  std::string Found() const;

  absl::Status ParseValue(int32_t depth, Value& out);
  absl::Status ParseMap(int32_t depth, Value& out);
  absl::Status ParseList(int32_t depth, Value& out);
  absl::Status ParseNumber(Value& out);
  absl::Status ParseWord(Value& out);
  absl::Status ParseString(std::string& out);
  absl::Status ParseEscape(std::string& out);
  absl::Status ParseHex4(uint32_t& out);

  std::string_view text_;
  std::string_view origin_;
  size_t at_ = 0;
  int32_t line_ = 1;
  bool has_lines_ = false;
  size_t values_ = 0;
};

absl::Status JsonParser::Error(std::string_view what) const {
  if (has_lines_) return absl::InvalidArgumentError(StrCat(origin_, ":", line_, ": ", what));
  return absl::InvalidArgumentError(StrCat(origin_, ": byte ", at_, ": ", what));
}

void JsonParser::SkipSpace() {
  while (!AtEnd()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
    if (c == '\n') ++line_;
    ++at_;
  }
}

bool JsonParser::Take(char c) {
  if (Peek() != c || AtEnd()) return false;
  ++at_;
  return true;
}

std::string JsonParser::Found() const {
  if (AtEnd()) return "found the end of the text";
  return StrCat("found ", JsonQuote(text_.substr(at_, 1)));
}

absl::StatusOr<Value> JsonParser::Parse() {
  if (text_.size() > kJsonBytesMax) {
    return absl::InvalidArgumentError(StrCat(
        origin_, ": ", text_.size(), " bytes of JSON; at most ", kJsonBytesMax, " are read"));
  }
  at_ = FirstInvalidUtf8(text_);
  if (!AtEnd()) {
    line_ += static_cast<int32_t>(
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
    return Error("not UTF-8");
  }
  at_ = 0;
  Value value;
  SkipSpace();
  TALLY_RETURN_IF_ERROR(ParseValue(0, value));
  SkipSpace();
  if (!AtEnd()) return Error(StrCat("expected the end of the text, ", Found()));
  return value;
}

absl::Status JsonParser::ParseValue(int32_t depth, Value& out) {
  if (++values_ > kValuesMax) return Error(StrCat("more than ", kValuesMax, " values"));
  out.origin = origin_;
  out.line = has_lines_ ? line_ : 0;
  const char c = Peek();
  if (c == '{') return ParseMap(depth, out);
  if (c == '[') return ParseList(depth, out);
  if (c == '"') return ParseString(out.data.emplace<std::string>());
  if (c == '-' || IsDigit(c)) return ParseNumber(out);
  return ParseWord(out);
}

absl::Status JsonParser::ParseMap(int32_t depth, Value& out) {
  if (depth == kDepthMax) return Error(StrCat("nested deeper than ", kDepthMax));
  Map& map = out.data.emplace<Map>();
  std::set<std::string, std::less<>> keys;
  ++at_;
  SkipSpace();
  if (Take('}')) return absl::OkStatus();
  while (true) {
    if (Peek() != '"') return Error(StrCat("expected a key in quotes, ", Found()));
    std::string key;
    TALLY_RETURN_IF_ERROR(ParseString(key));
    if (!keys.insert(key).second) return Error(StrCat("duplicate key ", JsonQuote(key)));
    SkipSpace();
    if (!Take(':')) return Error(StrCat("expected ':' after a key, ", Found()));
    SkipSpace();
    map.push_back({.key = std::move(key), .value = {}});
    TALLY_RETURN_IF_ERROR(ParseValue(depth + 1, map.back().value));
    SkipSpace();
    if (Take('}')) return absl::OkStatus();
    if (!Take(',')) return Error(StrCat("expected ',' or '}', ", Found()));
    SkipSpace();
  }
}

absl::Status JsonParser::ParseList(int32_t depth, Value& out) {
  if (depth == kDepthMax) return Error(StrCat("nested deeper than ", kDepthMax));
  List& list = out.data.emplace<List>();
  ++at_;
  SkipSpace();
  if (Take(']')) return absl::OkStatus();
  while (true) {
    TALLY_RETURN_IF_ERROR(ParseValue(depth + 1, list.emplace_back()));
    SkipSpace();
    if (Take(']')) return absl::OkStatus();
    if (!Take(',')) return Error(StrCat("expected ',' or ']', ", Found()));
    SkipSpace();
  }
}

absl::Status JsonParser::ParseNumber(Value& out) {
  const size_t start = at_;
  const auto error = [&](std::string_view what) {
    const size_t end = text_.find_first_not_of("+-.0123456789eE", start);
    const std::string_view number = text_.substr(start, std::min(end, text_.size()) - start);
    at_ = start;
    return Error(StrCat("number ", number.substr(0, 40), ": ", what));
  };
  Integer integer;
  integer.negative = Take('-');
  if (!IsDigit(Peek())) return error("expected a digit after the sign");
  if (Take('0') && IsDigit(Peek())) return error("an integer must not start with 0");
  while (IsDigit(Peek())) {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (integer.magnitude > (std::numeric_limits<uint64_t>::max() - digit) / 10) {
      return error("does not fit 64 bits");
    }
    integer.magnitude = integer.magnitude * 10 + digit;
    ++at_;
  }
  if (Peek() == '.' || Peek() == 'e' || Peek() == 'E') return error("integers only");
  if (integer.negative && integer.magnitude > uint64_t{1} << 63) {
    return error("does not fit 64 bits");
  }
  if (integer.magnitude == 0) integer.negative = false;
  out.data = integer;
  return absl::OkStatus();
}

absl::Status JsonParser::ParseWord(Value& out) {
  const auto take = [&](std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  };
  if (take("true")) {
    out.data = true;
    return absl::OkStatus();
  }
  if (take("false")) {
    out.data = false;
    return absl::OkStatus();
  }
  if (text_.substr(at_, 4) == "null") {
    return Error("null is not accepted; leave the key out for its default");
  }
  return Error(StrCat("expected a value, ", Found()));
}

absl::Status JsonParser::ParseString(std::string& out) {
  ++at_;
  while (true) {
    if (AtEnd()) return Error("a string does not end");
    const char c = text_[at_];
    if (static_cast<uint8_t>(c) < 0x20) return Error("a control character in a string; escape it");
    ++at_;
    if (c == '"') return absl::OkStatus();
    if (c == '\\') {
      TALLY_RETURN_IF_ERROR(ParseEscape(out));
    } else {
      out.push_back(c);
    }
  }
}

absl::Status JsonParser::ParseEscape(std::string& out) {
  static constexpr std::string_view kNames = "\"\\/bfnrt";
  static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (AtEnd()) return Error("a string does not end");
  const char c = text_[at_];
  if (const size_t index = kNames.find(c); index != std::string_view::npos) {
    ++at_;
    out.push_back(kMeanings[index]);
    return absl::OkStatus();
  }
  if (!Take('u')) return Error(StrCat("unknown escape in a string, ", Found()));
  uint32_t code = 0;
  TALLY_RETURN_IF_ERROR(ParseHex4(code));
  if (code >= 0xdc00 && code <= 0xdfff) return Error("a low surrogate without a high one");
  if (code >= 0xd800 && code <= 0xdbff) {
    uint32_t low = 0;
    if (!Take('\\') || !Take('u')) return Error("a high surrogate without a low one");
    TALLY_RETURN_IF_ERROR(ParseHex4(low));
    if (low < 0xdc00 || low > 0xdfff) return Error("a high surrogate without a low one");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  AppendUtf8(code, out);
  return absl::OkStatus();
}

absl::Status JsonParser::ParseHex4(uint32_t& out) {
  for (int i = 0; i < 4; ++i) {
    const char c = Peek();
    uint32_t digit = 0;
    if (IsDigit(c)) {
      digit = static_cast<uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<uint32_t>(c - 'a') + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<uint32_t>(c - 'A') + 10;
    } else {
      return Error(StrCat("expected four hexadecimal digits after \\u, ", Found()));
    }
    out = out * 16 + digit;
    ++at_;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Value> ParseJson(std::string_view json, std::string_view origin) {
  return JsonParser(json, origin).Parse();
}

std::string JsonQuote(std::string_view s) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(s.size() + 2);
  out.push_back('"');
  for (const char c : s) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default: {
        const auto byte = static_cast<uint8_t>(c);
        if (byte < 0x20) {
          out += "\\u00";
          out.push_back(kHex[byte >> 4]);
          out.push_back(kHex[byte & 15]);
        } else {
          out.push_back(c);
        }
      }
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace tally::text
