#include "client/cli/spec_yaml.h"

#include <string_view>

#include "core/arithmetic/check.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/strings.h"
#include "core/text/value.h"

namespace tally::cli {
namespace {

using text::Value;

// Words that no YAML reader takes for anything but a string stay bare.
std::string Word(const std::string& s) {
  const bool bare = !s.empty() && s.find_first_not_of("abcdefghijklmnopqrstuvwxyz_-") == s.npos &&
                    s.front() >= 'a' && s != "true" && s != "false" && s != "yes" && s != "no" &&
                    s != "on" && s != "off" && s != "null" && s != "y" && s != "n";
  return bare ? s : text::JsonQuote(s);
}

// On one line: {units: 100, activation: pocket_tanh}.
std::string Flow(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value.data)) return *truth ? "true" : "false";
  if (const auto* integer = std::get_if<text::Integer>(&value.data)) {
    return text::StrCat(integer->negative ? "-" : "", integer->magnitude);
  }
  if (const auto* word = std::get_if<std::string>(&value.data)) return Word(*word);
  std::string items;
  if (const auto* list = std::get_if<text::List>(&value.data)) {
    for (const Value& item : *list) text::StrAppend(&items, items.empty() ? "" : ", ", Flow(item));
    return "[" + items + "]";
  }
  for (const auto& [key, item] : std::get<text::Map>(value.data)) {
    text::StrAppend(&items, items.empty() ? "" : ", ", key, ": ", Flow(item));
  }
  return "{" + items + "}";
}

bool HoldsMaps(const Value& value) {
  const auto* list = std::get_if<text::List>(&value.data);
  return list != nullptr && !list->empty() && std::holds_alternative<text::Map>(list->front().data);
}

}  // namespace

std::string SpecAsYaml(const ModelSpec& spec) {
  // The canonical text has every field; its reader gives a tree to print.
  const absl::StatusOr<Value> document = text::ParseJson(PrettySpec(spec), "spec");
  TALLY_CHECK(document.ok());
  std::string yaml;
  for (const auto& [key, value] : std::get<text::Map>(document->data)) {
    text::StrAppend(&yaml, yaml.empty() ? "" : "\n", key, ":");
    if (HoldsMaps(value)) {
      for (const Value& item : std::get<text::List>(value.data)) {
        text::StrAppend(&yaml, "\n  - ", Flow(item));
      }
    } else if (const auto* map = std::get_if<text::Map>(&value.data)) {
      for (const auto& [inner, item] : *map) {
        text::StrAppend(&yaml, "\n  ", inner, ": ", Flow(item));
      }
    } else {
      text::StrAppend(&yaml, " ", Flow(value));
    }
  }
  return yaml;
}

}  // namespace tally::cli
