#include "client/cli/json_object.h"

#include "core/text/value.h"

namespace tally::cli {
namespace {

template <typename T, typename Print>
std::string ListText(const std::vector<T>& values, Print print) {
  std::string text = "[";
  for (const T& value : values) {
    if (text.size() > 1) text += ',';
    text += print(value);
  }
  return text + "]";
}

}  // namespace

JsonObject& JsonObject::Add(std::string_view key, std::string_view value) {
  return AddJson(key, text::JsonQuote(value));
}

JsonObject& JsonObject::Add(std::string_view key, const JsonObject& value) {
  return AddJson(key, value.Text());
}

JsonObject& JsonObject::Add(std::string_view key, const std::vector<JsonObject>& values) {
  return AddJson(key, ListText(values, [](const JsonObject& v) { return v.Text(); }));
}

JsonObject& JsonObject::Add(std::string_view key, const std::vector<std::string>& values) {
  return AddJson(key, ListText(values, [](const std::string& v) { return text::JsonQuote(v); }));
}

JsonObject& JsonObject::Add(std::string_view key, const std::vector<uint64_t>& values) {
  return AddJson(key, ListText(values, [](uint64_t v) { return std::to_string(v); }));
}

JsonObject& JsonObject::AddJson(std::string_view key, std::string_view json) {
  if (!members_.empty()) members_ += ',';
  members_ += text::JsonQuote(key);
  members_ += ':';
  members_ += json;
  return *this;
}

}  // namespace tally::cli
