#include "core/text/object_reader.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/cord.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::text {
namespace {

constexpr size_t kShownBytesMax = 64;  // of a value, in messages

std::string ShownInteger(const Integer& integer) {
  return StrCat(integer.negative ? "-" : "", integer.magnitude);
}

// A value as messages show it.
std::string Shown(const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<Integer>(&value.data)) return ShownInteger(*integer);
  if (const auto* text = std::get_if<std::string>(&value.data)) {
    if (text->size() <= kShownBytesMax) return JsonQuote(*text);
    size_t end = kShownBytesMax;  // not inside a UTF-8 sequence
    while (end > 0 && (static_cast<uint8_t>((*text)[end]) & 0xc0) == 0x80) --end;
    return StrCat(JsonQuote(text->substr(0, end)), "...");
  }
  return std::holds_alternative<List>(value.data) ? "a list" : "a map";
}

std::string Place(const Value& value) {
  if (value.line == 0) return value.origin;
  return StrCat(value.origin, ":", value.line);
}

absl::Status FieldError(const Value& value, std::string_view path, std::string_view what) {
  absl::Status status =
      absl::InvalidArgumentError(path.empty() ? StrCat(Place(value), ": ", what)
                                              : StrCat(Place(value), ": ", path, ": ", what));
  status.SetPayload(kFieldPayloadUrl, absl::Cord(AbslView(path)));
  return status;
}

template <typename Text>
std::string Joined(const std::vector<Text>& names) {
  std::string joined;
  for (const Text& name : names) StrAppend(&joined, joined.empty() ? "" : ", ", name);
  return joined;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Canonical decimal digits that fit 64 bits.
std::optional<uint64_t> Decimal(std::string_view digits) {
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0')) return std::nullopt;
  uint64_t number = 0;
  for (const char c : digits) {
    if (!IsDigit(c)) return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (number > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    number = number * 10 + digit;
  }
  return number;
}

// The integer a value stands for: a literal, or a quoted decimal one.
std::optional<Integer> IntegerOf(const Value& value) {
  if (const auto* integer = std::get_if<Integer>(&value.data)) return *integer;
  const auto* text = std::get_if<std::string>(&value.data);
  if (text == nullptr) return std::nullopt;
  const bool negative = text->size() > 1 && text->front() == '-';
  const auto magnitude = Decimal(std::string_view(*text).substr(negative ? 1 : 0));
  if (!magnitude || (negative && *magnitude > uint64_t{1} << 63)) return std::nullopt;
  return Integer{negative && *magnitude != 0, *magnitude};
}

std::optional<uint64_t> UnsignedOf(const Value& value, uint64_t min, uint64_t max) {
  const auto integer = IntegerOf(value);
  if (!integer || integer->negative) return std::nullopt;
  if (integer->magnitude < min || integer->magnitude > max) return std::nullopt;
  return integer->magnitude;
}

std::optional<int64_t> SignedOf(const Value& value, int64_t min, int64_t max) {
  const auto integer = IntegerOf(value);
  if (!integer) return std::nullopt;
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  if (!integer->negative && integer->magnitude > kMax) return std::nullopt;
  // Two's complement: the magnitude of a negative number is at most 2^63.
  const auto number = static_cast<int64_t>(integer->negative ? uint64_t{0} - integer->magnitude
                                                             : integer->magnitude);
  if (number < min || number > max) return std::nullopt;
  return number;
}

template <typename T>
std::string IntegerExpected(const Value& value, T min, T max) {
  return StrCat("got ", Shown(value), ", expected an integer from ", min, " to ", max);
}

struct Unit {
  std::string_view name;
  uint64_t factor = 1;
};

constexpr Unit kSizeUnits[] = {{"B", 1},
                               {"KiB", uint64_t{1} << 10},
                               {"MiB", uint64_t{1} << 20},
                               {"GiB", uint64_t{1} << 30},
                               {"TiB", uint64_t{1} << 40}};
constexpr Unit kDurationUnits[] = {{"ms", 1}, {"s", 1000}, {"min", 60'000}, {"h", 3'600'000}};

// "64 KiB", "4MiB": digits, at most one space, a unit.
std::optional<uint64_t> Quantity(std::string_view text, const Unit* begin, const Unit* end) {
  const auto stop = std::find_if_not(text.begin(), text.end(), IsDigit);
  const auto digits = static_cast<size_t>(stop - text.begin());
  const auto number = Decimal(text.substr(0, digits));
  text.remove_prefix(digits);
  if (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  const Unit* unit = std::find_if(begin, end, [&](const Unit& u) { return u.name == text; });
  if (!number || unit == end) return std::nullopt;
  if (*number > std::numeric_limits<uint64_t>::max() / unit->factor) return std::nullopt;
  return *number * unit->factor;
}

}  // namespace

ObjectReader::ObjectReader(const Value& value, std::string path)
    : value_(value), path_(std::move(path)) {
  if (!std::holds_alternative<Map>(value.data)) {
    status_ = FieldError(value, path_, StrCat("got ", Shown(value), ", expected a map"));
  }
}

const Value* ObjectReader::Find(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  if (!ok()) return nullptr;
  for (const auto& [name, value] : std::get<Map>(value_.data)) {
    if (name == key) return &value;
  }
  return nullptr;
}

void ObjectReader::FailAt(const Value& value, std::string_view key, std::string_view what) {
  if (!ok()) return;
  status_ = FieldError(value, path_.empty() ? std::string(key) : StrCat(path_, ".", key), what);
}

void ObjectReader::Bool(std::string_view key, bool& out) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  if (const auto* flag = std::get_if<bool>(&value->data)) {
    out = *flag;
  } else {
    FailAt(*value, key, StrCat("got ", Shown(*value), ", write true or false"));
  }
}

void ObjectReader::Unsigned(std::string_view key, uint64_t min, uint64_t max, uint64_t& out) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  if (const auto number = UnsignedOf(*value, min, max)) {
    out = *number;
  } else {
    FailAt(*value, key, IntegerExpected(*value, min, max));
  }
}

void ObjectReader::Unsigned(std::string_view key, uint32_t min, uint32_t max, uint32_t& out) {
  uint64_t wide = out;
  Unsigned(key, uint64_t{min}, uint64_t{max}, wide);
  out = static_cast<uint32_t>(wide);
}

void ObjectReader::Signed(std::string_view key, int64_t min, int64_t max, int64_t& out) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  if (const auto number = SignedOf(*value, min, max)) {
    out = *number;
  } else {
    FailAt(*value, key, IntegerExpected(*value, min, max));
  }
}

void ObjectReader::String(std::string_view key, std::string& out) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  if (const auto* text = std::get_if<std::string>(&value->data)) {
    out = *text;
  } else {
    FailAt(*value, key, StrCat("got ", Shown(*value), ", expected text; put it in quotes"));
  }
}

bool ObjectReader::EnumIndex(std::string_view key, const std::vector<std::string_view>& names,
                             size_t& index) {
  const Value* value = Find(key);
  if (value == nullptr) return false;
  if (const auto* text = std::get_if<std::string>(&value->data)) {
    const auto found = std::find(names.begin(), names.end(), *text);
    if (found != names.end()) {
      index = static_cast<size_t>(found - names.begin());
      return true;
    }
  }
  FailAt(*value, key, StrCat("got ", Shown(*value), ", expected one of ", Joined(names)));
  return false;
}

void ObjectReader::SizeBytes(std::string_view key, uint64_t min, uint64_t max, uint64_t& out) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  auto bytes = UnsignedOf(*value, min, max);
  if (const auto* text = std::get_if<std::string>(&value->data); text != nullptr && !bytes) {
    bytes = Quantity(*text, std::begin(kSizeUnits), std::end(kSizeUnits));
  }
  if (bytes && *bytes >= min && *bytes <= max) {
    out = *bytes;
  } else {
    FailAt(*value, key,
           StrCat("got ", Shown(*value), ", expected from ", min, " to ", max,
                  " bytes: an integer, or with a unit (B, KiB, MiB, GiB, TiB) as in 64 KiB"));
  }
}

void ObjectReader::DurationMs(std::string_view key, uint64_t min, uint64_t max, uint64_t& out_ms) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  auto duration_ms = UnsignedOf(*value, 0, 0);  // only zero needs no unit
  if (const auto* text = std::get_if<std::string>(&value->data); text != nullptr && !duration_ms) {
    duration_ms = Quantity(*text, std::begin(kDurationUnits), std::end(kDurationUnits));
  }
  if (duration_ms && *duration_ms >= min && *duration_ms <= max) {
    out_ms = *duration_ms;
  } else {
    FailAt(*value, key,
           StrCat("got ", Shown(*value), ", expected from ", min, " ms to ", max,
                  " ms: an integer with a unit (ms, s, min, h) as in 50 ms, or 0"));
  }
}

void ObjectReader::Object(std::string_view key, const std::function<void(ObjectReader&)>& read) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  ObjectReader reader(*value, path_.empty() ? std::string(key) : StrCat(path_, ".", key));
  read(reader);
  status_ = reader.Finish();
}

void ObjectReader::ObjectList(std::string_view key, size_t min_items, size_t max_items,
                              const std::function<void(size_t index, ObjectReader&)>& read) {
  const Value* value = Find(key);
  if (value == nullptr) return;
  const auto* list = std::get_if<List>(&value->data);
  if (list == nullptr) {
    return FailAt(*value, key, StrCat("got ", Shown(*value), ", expected a list of maps"));
  }
  if (list->size() < min_items || list->size() > max_items) {
    return FailAt(
        *value, key,
        StrCat("got ", list->size(), " items, expected from ", min_items, " to ", max_items));
  }
  const std::string path = path_.empty() ? std::string(key) : StrCat(path_, ".", key);
  for (size_t i = 0; i < list->size() && ok(); ++i) {
    ObjectReader reader((*list)[i], StrCat(path, "[", i, "]"));
    read(i, reader);
    status_ = reader.Finish();
  }
}

const List* ObjectReader::ScalarList(std::string_view key, size_t max_items) {
  const Value* value = Find(key);
  if (value == nullptr) return nullptr;
  const auto* list = std::get_if<List>(&value->data);
  if (list == nullptr) {
    FailAt(*value, key, StrCat("got ", Shown(*value), ", expected a list"));
  } else if (list->size() > max_items) {
    FailAt(*value, key, StrCat("got ", list->size(), " items, expected at most ", max_items));
  }
  return ok() ? list : nullptr;
}

void ObjectReader::UnsignedList(std::string_view key, size_t max_items, uint32_t min, uint32_t max,
                                std::vector<uint32_t>& out) {
  const List* list = ScalarList(key, max_items);
  if (list == nullptr) return;
  std::vector<uint32_t> numbers;
  numbers.reserve(list->size());
  for (const Value& item : *list) {
    const auto number = UnsignedOf(item, min, max);
    if (!number) {
      return FailAt(item, StrCat(key, "[", numbers.size(), "]"), IntegerExpected(item, min, max));
    }
    numbers.push_back(static_cast<uint32_t>(*number));
  }
  out = std::move(numbers);
}

void ObjectReader::SignedList(std::string_view key, size_t max_items, int32_t min, int32_t max,
                              std::vector<int32_t>& out) {
  const List* list = ScalarList(key, max_items);
  if (list == nullptr) return;
  std::vector<int32_t> numbers;
  numbers.reserve(list->size());
  for (const Value& item : *list) {
    const auto number = SignedOf(item, min, max);
    if (!number) {
      return FailAt(item, StrCat(key, "[", numbers.size(), "]"), IntegerExpected(item, min, max));
    }
    numbers.push_back(static_cast<int32_t>(*number));
  }
  out = std::move(numbers);
}

void ObjectReader::StringList(std::string_view key, size_t max_items,
                              std::vector<std::string>& out) {
  const List* list = ScalarList(key, max_items);
  if (list == nullptr) return;
  std::vector<std::string> texts;
  texts.reserve(list->size());
  for (const Value& item : *list) {
    const auto* text = std::get_if<std::string>(&item.data);
    if (text == nullptr) {
      return FailAt(item, StrCat(key, "[", texts.size(), "]"),
                    StrCat("got ", Shown(item), ", expected text; put it in quotes"));
    }
    texts.push_back(*text);
  }
  out = std::move(texts);
}

bool ObjectReader::Has(std::string_view key) const {
  const auto* map = std::get_if<Map>(&value_.data);
  return map != nullptr && std::any_of(map->begin(), map->end(),
                                       [&](const auto& entry) { return entry.key == key; });
}

void ObjectReader::Require(std::string_view key) {
  if (!ok() || Has(key)) return;
  // Most often the key is there, misspelt.
  std::vector<std::string> unknown;
  for (const auto& [candidate, value] : std::get<Map>(value_.data)) {
    if (std::find(known_.begin(), known_.end(), candidate) == known_.end()) {
      unknown.push_back(candidate);
    }
  }
  const std::string nearest = NearestName(key, unknown);
  if (nearest.empty()) return FailAt(value_, key, "missing; it has no default");
  FailAt(*Find(nearest), key,
         StrCat("missing; it has no default; is \"", nearest, "\" a misspelling of it?"));
}

void ObjectReader::Fail(std::string_view key, std::string_view what) {
  const Value* value = Find(key);
  FailAt(value == nullptr ? value_ : *value, key, what);
}

absl::Status ObjectReader::Finish() {
  if (!ok()) return status_;
  for (const auto& [key, value] : std::get<Map>(value_.data)) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string nearest = NearestName(key, known_);
    const std::string shown = Shown(Value{.data = key, .origin = "", .line = 0});
    FailAt(value, shown.substr(1, shown.size() - 2),
           nearest.empty() ? StrCat("unknown key; valid keys: ", Joined(known_))
                           : StrCat("unknown key; did you mean ", nearest, "?"));
    break;
  }
  return status_;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);  // of the Levenshtein matrix
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j < row.size(); ++j) {
      const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string NearestName(std::string_view word, const std::vector<std::string>& candidates) {
  std::string_view nearest;
  size_t nearest_distance = 2 + word.size() / 3;  // one too far
  for (const std::string& candidate : candidates) {
    const size_t distance = EditDistance(word, candidate);
    if (distance >= nearest_distance) continue;
    nearest_distance = distance;
    nearest = candidate;
  }
  return std::string(nearest);
}

}  // namespace tally::text
