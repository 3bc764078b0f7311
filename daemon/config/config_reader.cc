#include "daemon/config/config_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "core/learner/model_spec_reader.h"
#include "core/text/object_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "core/text/value.h"
#include "daemon/config/address.h"

namespace tally::config {
namespace {

constexpr size_t kModelsMax = 1024;
constexpr size_t kFileBytesMax = size_t{16} << 20;

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
    // Without the section its keys keep their defaults.
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

// The specs have a reader of their own. What stays is an empty list, so that `models` remains a
// known key.
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

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

absl::StatusOr<ConfiguredModel> ReadModel(const text::Value& item, const std::string& path,
                                          const std::string& folder, const FileReader& read_file) {
  ConfiguredModel model;
  model.origin = PlaceOf(item);
  if (const auto* file = std::get_if<std::string>(&item.data); file != nullptr) {
    const std::string full = file->starts_with('/') ? *file : folder + *file;
    const absl::StatusOr<std::string> text = read_file(full);
    if (!text.ok()) {
      return absl::InvalidArgumentError(
          text::StrCat(model.origin, ": ", path, ": ", std::string(text.status().message())));
    }
    model.origin = full;
    TALLY_ASSIGN_OR_RETURN(model.spec, ModelSpecFromYaml(*text, full));
  } else {
    TALLY_ASSIGN_OR_RETURN(model.spec, ReadModelSpec(item, path));
  }
  if (model.spec.name.empty()) {
    return absl::InvalidArgumentError(
        text::StrCat(model.origin, ": ", path, ".name: missing; a configured model needs a name"));
  }
  return model;
}

absl::Status ReadModels(const text::List& items, const std::string& folder,
                        const FileReader& read_file, std::vector<ConfiguredModel>& models) {
  if (items.size() > kModelsMax) {
    return absl::InvalidArgumentError(text::StrCat(PlaceOf(items[0]), ": models: ", items.size(),
                                                   " items; at most ", kModelsMax));
  }
  std::set<std::string> names;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string path = text::StrCat("models[", i, "]");
    TALLY_ASSIGN_OR_RETURN(ConfiguredModel model, ReadModel(items[i], path, folder, read_file));
    if (!names.insert(model.spec.name).second) {
      return absl::InvalidArgumentError(
          text::StrCat(model.origin, ": ", path, ".name: \"", model.spec.name, "\" is used twice"));
    }
    models.push_back(std::move(model));
  }
  return absl::OkStatus();
}

bool IsMode(const std::string& text) {
  return text.size() == 4 && text[0] == '0' &&
         text.find_first_not_of("01234567") == std::string::npos;
}

// Prefixes a cross-field error with the place of the key, when it came from a file.
absl::Status WithPlace(const absl::Status& status, const Origins& origins) {
  if (status.ok()) return status;
  const std::string message(status.message());
  const auto found = origins.find(message.substr(0, message.find(':')));
  if (found == origins.end()) return status;
  return absl::InvalidArgumentError(text::StrCat(found->second, ": ", message));
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string message = text::StrCat("cannot read ", path, ": ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(message) : absl::InvalidArgumentError(message);
  }
  std::string text;
  std::array<char, 16384> buffer;
  ssize_t count = 0;
  while ((count = read(fd, buffer.data(), buffer.size())) > 0 && text.size() <= kFileBytesMax) {
    text.append(buffer.data(), static_cast<size_t>(count));
  }
  const int error = errno;
  close(fd);
  if (count < 0) {
    return absl::InvalidArgumentError(
        text::StrCat("cannot read ", path, ": ", std::strerror(error)));
  }
  if (text.size() > kFileBytesMax) {
    return absl::InvalidArgumentError(text::StrCat(path, " is larger than 16 MiB"));
  }
  return text;
}

}  // namespace

absl::Status CheckConfig(const Config& config) {
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

absl::StatusOr<LoadedConfig> ParseConfig(std::string_view yaml, const std::string& file_name,
                                         const FileReader& read_file) {
  TALLY_ASSIGN_OR_RETURN(text::Value document, text::ParseYaml(yaml, file_name));
  TALLY_ASSIGN_OR_RETURN(const text::List models, TakeModels(document));
  LoadedConfig loaded;
  text::ObjectReader reader(document, "");
  uint64_t version = 1;
  reader.Require("version");
  reader.Unsigned("version", uint64_t{1}, uint64_t{1}, version);
  Reader visitor(reader, document, loaded.origins);
  VisitConfig(visitor, loaded.config);
  reader.ObjectList("models", 0, 0, [](size_t, text::ObjectReader&) {});
  TALLY_RETURN_IF_ERROR(reader.Finish());
  TALLY_RETURN_IF_ERROR(WithPlace(CheckConfig(loaded.config), loaded.origins));
  TALLY_RETURN_IF_ERROR(ReadModels(models, FolderOf(file_name), read_file, loaded.config.models));
  if (const text::Value* list = FindKey(document, "models"); list != nullptr) {
    loaded.origins["models"] = PlaceOf(*list);
  }
  return loaded;
}

absl::StatusOr<LoadedConfig> LoadConfig(const std::string& file_name, bool required) {
  const absl::StatusOr<std::string> yaml = ReadWholeFile(file_name);
  if (absl::IsNotFound(yaml.status()) && !required) return LoadedConfig();
  if (!yaml.ok()) return yaml.status();
  return ParseConfig(*yaml, file_name, ReadWholeFile);
}

}  // namespace tally::config
