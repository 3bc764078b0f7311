// yaml-cpp's event interface feeds a tree builder: events carry marks, tags, anchors and aliases,
// which the node interface of the library hides.

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <utility>

#include "core/text/limits.h"
#include "core/text/strings.h"
#include "core/text/utf8.h"
#include "core/text/value.h"

namespace tally::text {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

size_t CountDigits(std::string_view s) {
  const auto end = std::find_if_not(s.begin(), s.end(), IsDigit);
  return static_cast<size_t>(end - s.begin());
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? with at least a point or an exponent, and the
// words for infinity and not-a-number: the floating-point scalars of YAML's core schema.
bool LooksFloat(std::string_view s) {
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) s.remove_prefix(1);
  for (const std::string_view word : {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"}) {
    if (s == word) return true;
  }
  size_t digits = CountDigits(s);
  s.remove_prefix(digits);
  bool marked = false;
  if (!s.empty() && s[0] == '.') {
    marked = true;
    s.remove_prefix(1);
    const size_t fraction = CountDigits(s);
    digits += fraction;
    s.remove_prefix(fraction);
  }
  if (digits == 0) return false;
  if (!s.empty() && (s[0] == 'e' || s[0] == 'E')) {
    marked = true;
    s.remove_prefix(1);
    if (!s.empty() && (s[0] == '-' || s[0] == '+')) s.remove_prefix(1);
    const size_t exponent = CountDigits(s);
    if (exponent == 0) return false;
    s.remove_prefix(exponent);
  }
  return marked && s.empty();
}

// Digits of `s` in `base`; false if a character is not one. `fits` becomes false beyond 64 bits.
bool ReadDigits(std::string_view s, uint64_t base, uint64_t& magnitude, bool& fits) {
  if (s.empty()) return false;
  for (const char c : s) {
    uint64_t digit = base;
    if (IsDigit(c)) digit = static_cast<uint64_t>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<uint64_t>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<uint64_t>(c - 'A') + 10;
    if (digit >= base) return false;
    if (magnitude > (std::numeric_limits<uint64_t>::max() - digit) / base) fits = false;
    magnitude = magnitude * base + digit;
  }
  return true;
}

// Resolves a plain scalar. Returns what is wrong with it, or "".
std::string ResolvePlain(std::string_view scalar, Value& out) {
  if (scalar == "true" || scalar == "false") {
    out.data = scalar == "true";
    return "";
  }
  if (LooksFloat(scalar)) {
    return StrCat(scalar, ": integers only; put it in quotes if it is text");
  }
  std::string_view digits = scalar;
  uint64_t base = 10;
  Integer integer;
  if (digits.substr(0, 2) == "0x" || digits.substr(0, 2) == "0o") {
    base = digits[1] == 'x' ? 16 : 8;
    digits.remove_prefix(2);
  } else if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    integer.negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  bool fits = true;
  if (!ReadDigits(digits, base, integer.magnitude, fits)) {
    out.data = std::string(scalar);
    return "";
  }
  if (base == 10 && digits.size() > 1 && digits[0] == '0') {
    return StrCat(scalar, ": looks octal; write 0o", digits.substr(1), " or drop the zeros");
  }
  if (integer.negative && integer.magnitude > uint64_t{1} << 63) fits = false;
  if (!fits) return StrCat(scalar.substr(0, 40), ": does not fit 64 bits");
  if (integer.magnitude == 0) integer.negative = false;
  out.data = integer;
  return "";
}

// Builds the tree. The first error is kept, and from then on events are ignored: the handler must
// not throw through the library.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view origin) : origin_(origin) { root_.origin = origin; }

  const std::string& error() const { return error_; }
  Value& root() { return root_; }
  bool has_root() const { return has_root_; }

  void Fail(int line, std::string_view what) {
    if (error_.empty()) error_ = StrCat(origin_, ":", line + 1, ": ", what);
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Fail(mark.line, "a second document; one is read");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    const bool has_key = !open_.empty() && open_.back().has_key;
    Fail(has_key ? open_.back().key_line : mark.line,
         "an empty value (null) is not accepted; leave the key out for its default");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Fail(mark.line, "aliases (*name) are not accepted; write the value out");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    Fail(mark.line, StrCat("anchors (&", name, ") are not accepted; write the value out"));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& scalar) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, List());
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, Map());
  }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map still open. A parent's vector does not grow while a child is open, so that
  // `value` stays valid.
  struct Frame {
    Value* value = nullptr;
    bool has_key = false;
    std::string key;
    int key_line = 0;
    std::set<std::string, std::less<>> keys;
  };

  bool InMapWithoutKey() const {
    return !open_.empty() && std::holds_alternative<Map>(open_.back().value->data) &&
           !open_.back().has_key;
  }
  void TakeKey(const YAML::Mark& mark, bool plain, const std::string& key);
  // The place for the next value, or null after an error.
  Value* Place(const YAML::Mark& mark);
  template <typename Container>
  void Open(const YAML::Mark& mark, const std::string& tag, Container container);
  void Close() {
    if (error_.empty()) open_.pop_back();
  }
  void CheckTag(const YAML::Mark& mark, const std::string& tag) {
    // "?" and "!" stand for plain and quoted scalars, "" and "?" for containers without a tag.
    if (!tag.empty() && tag != "?" && tag != "!") {
      Fail(mark.line, StrCat("tags (", tag, ") are not accepted"));
    }
  }

  std::string origin_;
  std::string error_;
  Value root_;
  bool has_root_ = false;
  int documents_ = 0;
  size_t values_ = 0;
  std::vector<Frame> open_;
};

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                           const std::string& scalar) {
  CheckTag(mark, tag);
  if (!error_.empty()) return;
  const bool plain = tag == "?";
  if (InMapWithoutKey()) {
    TakeKey(mark, plain, scalar);
    return;
  }
  Value* value = Place(mark);
  if (value == nullptr) return;
  if (!plain) {
    value->data = scalar;
  } else if (const std::string problem = ResolvePlain(scalar, *value); !problem.empty()) {
    Fail(mark.line, problem);
  }
}

void TreeBuilder::TakeKey(const YAML::Mark& mark, bool plain, const std::string& key) {
  Frame& frame = open_.back();
  if (plain && key == "<<") {
    Fail(mark.line, "merge keys (<<) are not accepted; write the keys out");
  } else if (!frame.keys.insert(key).second) {
    Fail(mark.line, StrCat("duplicate key ", JsonQuote(key)));
  }
  frame.key = key;
  frame.key_line = mark.line;
  frame.has_key = true;
}

Value* TreeBuilder::Place(const YAML::Mark& mark) {
  if (++values_ > kValuesMax) Fail(mark.line, StrCat("more than ", kValuesMax, " values"));
  if (!error_.empty()) return nullptr;
  Value* value = &root_;
  int line = mark.line;
  if (open_.empty()) {
    has_root_ = true;
  } else if (auto* list = std::get_if<List>(&open_.back().value->data); list != nullptr) {
    value = &list->emplace_back();
  } else {
    // A value is found by its key: that line is what a person looks for.
    Frame& frame = open_.back();
    line = frame.key_line;
    Map& map = std::get<Map>(frame.value->data);
    map.push_back({.key = std::move(frame.key), .value = {}});
    value = &map.back().value;
    frame.has_key = false;
  }
  value->origin = origin_;
  value->line = line + 1;
  return value;
}

template <typename Container>
void TreeBuilder::Open(const YAML::Mark& mark, const std::string& tag, Container container) {
  CheckTag(mark, tag);
  if (InMapWithoutKey()) Fail(mark.line, "a key must be a scalar");
  if (open_.size() == static_cast<size_t>(kDepthMax)) {
    Fail(mark.line, StrCat("nested deeper than ", kDepthMax));
  }
  if (!error_.empty()) return;
  Value* value = Place(mark);
  if (value == nullptr) return;
  value->data = std::move(container);
  open_.emplace_back().value = value;
}

// Characters that YAML forbids or that yaml-cpp takes for the end of the text (0x04).
absl::Status CheckCharacters(std::string_view yaml, std::string_view origin) {
  const auto line_of = [&](size_t at) {
    return 1 + std::count(yaml.begin(), yaml.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  };
  if (yaml.size() > kYamlBytesMax) {
    return absl::InvalidArgumentError(
        StrCat(origin, ": ", yaml.size(), " bytes of YAML; at most ", kYamlBytesMax, " are read"));
  }
  if (const size_t at = FirstInvalidUtf8(yaml); at != yaml.size()) {
    return absl::InvalidArgumentError(StrCat(origin, ":", line_of(at), ": not UTF-8"));
  }
  for (size_t at = 0; at < yaml.size(); ++at) {
    const auto byte = static_cast<uint8_t>(yaml[at]);
    if (byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t')) {
      return absl::InvalidArgumentError(StrCat(origin, ":", line_of(at), ": a control character"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Value> ParseYaml(std::string_view yaml, std::string_view origin) {
  if (absl::Status status = CheckCharacters(yaml, origin); !status.ok()) return status;
  TreeBuilder builder(origin);
  try {
    std::istringstream stream{std::string(yaml)};
    YAML::Parser parser(stream);
    while (builder.error().empty() && parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& exception) {
    builder.Fail(exception.mark.line, exception.msg);
  }
  if (!builder.error().empty()) return absl::InvalidArgumentError(builder.error());
  if (!builder.has_root()) builder.root().data = Map();
  return std::move(builder.root());
}

}  // namespace tally::text
