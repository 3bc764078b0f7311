#include "daemon/config/config_reader.h"

#include <functional>
#include <string_view>
#include <utility>

#include "core/text/object_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/value.h"
#include "daemon/config/address.h"
#include "daemon/config/environment.h"

namespace tally::config {
namespace {

const text::Value* FindKey(const text::Value& value, std::string_view key) {
  const auto* map = std::get_if<text::Map>(&value.data);
  if (map == nullptr) return nullptr;
  for (const auto& [name, child] : *map) {
    if (name == key) return &child;
  }
  return nullptr;
}

std::string PlaceOf(const text::Value& value) {
  return value.line > 0 ? text::StrCat(value.origin, ":", value.line) : value.origin;
}

// Reads each key from the document and notes where its value stands.
class Reader : public ConfigVisitor {
 public:
  Reader(text::ObjectReader& reader, const text::Value& document, Origins& origins)
      : reader_(&reader), value_(&document), origins_(origins) {}

  void Section(std::string_view key, const std::function<void()>& visit) override {
    const text::Value* child = FindKey(*value_, key);
    // Without the section its keys keep their values.
    reader_->Object(key, [&](text::ObjectReader& inner) {
      text::ObjectReader* const outer_reader = std::exchange(reader_, &inner);
      const text::Value* const outer_value = std::exchange(value_, child);
      const std::string outer_prefix = std::exchange(prefix_, text::StrCat(prefix_, key, "."));
      visit();
      prefix_ = outer_prefix;
      value_ = outer_value;
      reader_ = outer_reader;
    });
  }
  void Text(std::string_view key, std::string& value, Reload) override {
    reader_->String(key, value);
    Note(key);
  }
  void Bool(std::string_view key, bool& value, Reload) override {
    reader_->Bool(key, value);
    Note(key);
  }
  void Choice(std::string_view key, const std::vector<std::string_view>& names, uint8_t& value,
              Reload) override {
    reader_->Enum(key, names, value);
    Note(key);
  }
  void Count(std::string_view key, Range range, uint64_t& value, Reload) override {
    reader_->Unsigned(key, range.min, range.max, value);
    Note(key);
  }
  void Size(std::string_view key, Range range, uint64_t& value, Reload) override {
    reader_->SizeBytes(key, range.min, range.max, value);
    Note(key);
  }
  void Duration(std::string_view key, Range range, uint64_t& value_ms, Reload) override {
    reader_->DurationMs(key, range.min, range.max, value_ms);
    Note(key);
  }

 private:
  void Note(std::string_view key) {
    if (const text::Value* child = FindKey(*value_, key); child != nullptr) {
      origins_[text::StrCat(prefix_, key)] = PlaceOf(*child);
    }
  }

  text::ObjectReader* reader_;
  const text::Value* value_;
  Origins& origins_;
  std::string prefix_;
};

// The specs are read when all layers are in. What stays is an empty list, so that `models` remains
// a known key.
absl::StatusOr<text::List> TakeModels(text::Value& document) {
  auto* map = std::get_if<text::Map>(&document.data);
  if (map == nullptr) return text::List();
  for (auto& [key, value] : *map) {
    if (key != "models") continue;
    auto* list = std::get_if<text::List>(&value.data);
    if (list == nullptr) {
      return absl::InvalidArgumentError(
          text::StrCat(PlaceOf(value), ": models: expected a list of specs or of spec files"));
    }
    return std::exchange(*list, text::List());
  }
  return text::List();
}

enum class Version { kRequired, kOptional };

// Lays one document over what `loaded` holds already.
absl::Status LayOver(const text::Value& document, Version wanted, LoadedConfig& loaded) {
  text::ObjectReader reader(document, "");
  uint64_t version = 1;
  if (wanted == Version::kRequired) reader.Require("version");
  reader.Unsigned("version", uint64_t{1}, uint64_t{1}, version);
  Reader visitor(reader, document, loaded.origins);
  VisitConfig(visitor, loaded.config);
  reader.ObjectList("models", 0, 0, [](size_t, text::ObjectReader&) {});
  TALLY_RETURN_IF_ERROR(reader.Finish());
  if (const text::Value* list = FindKey(document, "models"); list != nullptr) {
    loaded.origins["models"] = PlaceOf(*list);
  }
  return absl::OkStatus();
}

absl::Status LayOverFile(const ConfigFile& file, Version wanted, LoadedConfig& loaded,
                         ModelList& models) {
  TALLY_ASSIGN_OR_RETURN(text::Value document, text::ParseYaml(file.yaml, file.name));
  TALLY_ASSIGN_OR_RETURN(const text::List items, TakeModels(document));
  TALLY_RETURN_IF_ERROR(LayOver(document, wanted, loaded));
  return models.Append(items);
}

bool IsMode(const std::string& text) {
  return text.size() == 4 && text[0] == '0' &&
         text.find_first_not_of("01234567") == std::string::npos;
}

absl::Status CheckAcrossKeys(const Config& config) {
  if (config.state_dir.empty()) {
    return absl::InvalidArgumentError("state_dir: must not be empty");
  }
  if (!IsMode(config.listen.unix_mode)) {
    return absl::InvalidArgumentError(
        text::StrCat("listen.unix_mode: \"", config.listen.unix_mode,
                     "\"; expected four octal digits, as in \"0660\""));
  }
  if (config.listen.unix_path.empty() && config.listen.tcp.empty()) {
    return absl::InvalidArgumentError("listen.unix: empty, and listen.tcp too; set one of them");
  }
  if (config.listen.tcp.empty()) return absl::OkStatus();
  const absl::StatusOr<TcpAddress> address = ParseTcpAddress(config.listen.tcp);
  if (!address.ok()) {
    return absl::InvalidArgumentError(
        text::StrCat("listen.tcp: ", std::string(address.status().message())));
  }
  if (!address->loopback && !config.listen.insecure) {
    return absl::InvalidArgumentError(
        text::StrCat("listen.tcp: \"", config.listen.tcp,
                     "\" is reachable from other machines and has no TLS; use a loopback address ",
                     "or set listen.insecure: true"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckConfig(const LoadedConfig& loaded) {
  absl::Status status = CheckAcrossKeys(loaded.config);
  if (status.ok()) return status;
  // Where the key has its value from, unless it is the default.
  const std::string message(status.message());
  const auto found = loaded.origins.find(message.substr(0, message.find(':')));
  if (found == loaded.origins.end()) return status;
  return absl::InvalidArgumentError(text::StrCat(found->second, ": ", message));
}

absl::StatusOr<LoadedConfig> ParseConfig(const ConfigSources& sources,
                                         const FileReader& read_file) {
  LoadedConfig loaded;
  ModelList models(sources.folder, read_file);
  if (sources.file) {
    TALLY_RETURN_IF_ERROR(LayOverFile(*sources.file, Version::kRequired, loaded, models));
  }
  for (const ConfigFile& drop_in : sources.drop_ins) {
    TALLY_RETURN_IF_ERROR(LayOverFile(drop_in, Version::kOptional, loaded, models));
  }
  TALLY_ASSIGN_OR_RETURN(const EnvironmentLayer environment, ReadEnvironment(sources.environment));
  TALLY_RETURN_IF_ERROR(LayOver(environment.document, Version::kOptional, loaded));
  for (const ModelVariable& variable : environment.models) {
    TALLY_RETURN_IF_ERROR(models.Override(variable));
  }
  TALLY_ASSIGN_OR_RETURN(loaded.config.models, models.Read());
  return loaded;
}

}  // namespace tally::config
