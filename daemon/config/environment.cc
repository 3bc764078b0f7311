#include "daemon/config/environment.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "core/text/limits.h"
#include "core/text/object_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/utf8.h"
#include "daemon/config/config.h"

namespace tally::config {
namespace {

constexpr std::string_view kPrefix = "TALLY_";
constexpr std::string_view kNesting = "__";
constexpr std::string_view kModels = "TALLY_MODELS";
constexpr size_t kMisspelling = 2;  // letters

std::string Cased(std::string_view text, char first, char last, int shift) {
  std::string cased(text);
  for (char& c : cased) {
    if (c >= first && c <= last) c = static_cast<char>(c + shift);
  }
  return cased;
}
std::string Upper(std::string_view text) { return Cased(text, 'a', 'z', 'A' - 'a'); }
std::string Lower(std::string_view text) { return Cased(text, 'A', 'Z', 'a' - 'A'); }

std::string_view FirstPart(std::string_view name) {
  return name.substr(0, name.find(kNesting, kPrefix.size()));
}

std::vector<std::string> PathOf(std::string_view name) {
  std::vector<std::string> path;
  std::string rest = Lower(name.substr(kPrefix.size()));
  for (size_t end = 0; (end = rest.find(kNesting)) != std::string::npos;) {
    path.push_back(rest.substr(0, end));
    rest.erase(0, end + kNesting.size());
  }
  path.push_back(rest);
  return path;
}

// The variables that the schema knows.
struct Names {
  std::vector<std::string> valid;     // TALLY_STATE_DIR, TALLY_LISTEN__UNIX, ...
  std::set<std::string> first_parts;  // TALLY_STATE_DIR, TALLY_LISTEN, ..., TALLY_MODELS
};

Names NamesOfSchema() {
  Names names;
  for (const std::string& path : ConfigPaths()) {
    std::string name(kPrefix);
    for (const char c : Upper(path)) name += c == '.' ? std::string(kNesting) : std::string(1, c);
    names.first_parts.emplace(FirstPart(name));
    names.valid.push_back(std::move(name));
  }
  names.first_parts.emplace(kModels);
  return names;
}

bool BelongsToConfiguration(std::string_view name, const Names& names) {
  if (!name.starts_with(kPrefix)) return false;
  if (name.find(kNesting) != std::string_view::npos) return true;
  if (names.first_parts.contains(std::string(name))) return true;
  return std::any_of(names.valid.begin(), names.valid.end(), [&](const std::string& valid) {
    return text::EditDistance(name, valid) <= kMisspelling;
  });
}

absl::Status UnknownVariable(std::string_view name, const Names& names) {
  if (name == kModels) {
    return absl::InvalidArgumentError(text::StrCat(name, ": holds a list; expected ", kModels,
                                                   "__ and an index, as in ", kModels,
                                                   "__0__BATCH_SIZE"));
  }
  for (const std::string& valid : names.valid) {
    if (!valid.starts_with(text::StrCat(name, kNesting))) continue;
    return absl::InvalidArgumentError(
        text::StrCat(name, ": holds several keys; expected one variable for each, as in ", valid));
  }
  std::vector<std::string> candidates = names.valid;
  const std::string_view first = FirstPart(name);
  if (text::EditDistance(first, kModels) <= kMisspelling) {
    candidates.push_back(text::StrCat(kModels, name.substr(first.size())));
  }
  const std::string nearest = text::NearestName(Upper(name), candidates);
  return absl::InvalidArgumentError(text::StrCat(
      name, ": unknown variable; ",
      nearest.empty() ? "expected TALLY_ and the path of a key, as in TALLY_LIMITS__ROWS"
                      : text::StrCat("did you mean ", nearest, "?")));
}

absl::StatusOr<text::Value> ValueOf(std::string_view name, std::string_view text, bool of_model) {
  text::Value value;
  value.origin = name;
  if (!text::IsUtf8(text)) {
    return absl::InvalidArgumentError(text::StrCat(name, ": its value is not UTF-8"));
  }
  if (of_model && !text.empty() && (text.front() == '[' || text.front() == '{')) {
    return text::ParseYaml(text, name);
  }
  if (text == "true" || text == "false") {
    value.data = text == "true";
  } else {
    value.data = std::string(text);
  }
  return value;
}

bool IsNumber(std::string_view part) {
  return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
}

// Numbers by value and before words.
bool PartLess(const std::string& a, const std::string& b) {
  if (IsNumber(a) != IsNumber(b)) return IsNumber(a);
  if (IsNumber(a) && a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

std::string Joined(const std::string& path, const std::string& part, bool index) {
  return index ? text::StrCat(path, "[", part, "]") : text::StrCat(path, ".", part);
}

absl::StatusOr<text::Value*> ItemOf(text::List& list, const std::string& part,
                                    const std::string& shown, const std::string& origin) {
  size_t index = 0;
  const bool canonical = IsNumber(part) && (part == "0" || part.front() != '0');
  if (!canonical || !absl::SimpleAtoi(part, &index) || index > list.size()) {
    return absl::InvalidArgumentError(
        text::StrCat(origin, ": ", shown, " has ", list.size(), " items; got \"", part,
                     "\", expected an index from 0 to ", list.size(), " (which adds one)"));
  }
  if (index == list.size()) list.push_back({.data = text::Map(), .origin = origin, .line = 0});
  return &list[index];
}

text::Value* EntryOf(text::Map& map, const std::string& part, const std::string& origin) {
  for (auto& [key, value] : map) {
    if (key == part) return &value;
  }
  map.push_back({.key = part, .value = {.data = text::Map(), .origin = origin, .line = 0}});
  return &map.back().value;
}

}  // namespace

absl::Status PutValue(text::Value& root, const std::vector<std::string>& path, text::Value value,
                      std::string shown) {
  text::Value* at = &root;
  for (const std::string& part : path) {
    auto* map = std::get_if<text::Map>(&at->data);
    if (map != nullptr && map->empty() && IsNumber(part)) {
      at->data = text::List();  // made on the way: keys are never numbers
      map = nullptr;
    }
    if (auto* list = std::get_if<text::List>(&at->data); list != nullptr) {
      TALLY_ASSIGN_OR_RETURN(at, ItemOf(*list, part, shown, value.origin));
      shown = Joined(shown, part, /*index=*/true);
    } else if (map != nullptr) {
      at = EntryOf(*map, part, value.origin);
      shown = shown.empty() ? part : Joined(shown, part, /*index=*/false);
    } else {
      return absl::InvalidArgumentError(text::StrCat(
          value.origin, ": ", shown, " is a single value; it has no part \"", part, "\""));
    }
  }
  *at = std::move(value);
  return absl::OkStatus();
}

absl::StatusOr<EnvironmentLayer> ReadEnvironment(const std::vector<std::string>& environment) {
  const Names names = NamesOfSchema();
  EnvironmentLayer layer;
  layer.document.data = text::Map();
  layer.document.origin = "environment";
  std::set<std::string> seen;  // of a variable given twice the first one counts, as for getenv
  for (const std::string& entry : environment) {
    const std::string name = entry.substr(0, entry.find('='));
    if (name.size() == entry.size() || !BelongsToConfiguration(name, names)) continue;
    if (!seen.insert(name).second) continue;
    const bool of_model = name.starts_with(text::StrCat(kModels, kNesting));
    const bool known = std::find(names.valid.begin(), names.valid.end(), name) != names.valid.end();
    if (!of_model && !known) return UnknownVariable(name, names);
    TALLY_ASSIGN_OR_RETURN(
        text::Value value,
        ValueOf(name, std::string_view(entry).substr(name.size() + 1), of_model));
    std::vector<std::string> path = PathOf(name);
    if (!of_model) {
      TALLY_RETURN_IF_ERROR(PutValue(layer.document, path, std::move(value), ""));
      continue;
    }
    if (path.size() > static_cast<size_t>(text::kDepthMax)) {
      return absl::InvalidArgumentError(text::StrCat(name, ": nested too deeply"));
    }
    path.erase(path.begin());
    layer.models.push_back({name, std::move(path), std::move(value)});
  }
  std::sort(layer.models.begin(), layer.models.end(),
            [](const ModelVariable& a, const ModelVariable& b) {
              return std::lexicographical_compare(a.path.begin(), a.path.end(), b.path.begin(),
                                                  b.path.end(), PartLess);
            });
  return layer;
}

std::vector<std::string> ProcessEnvironment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

}  // namespace tally::config
