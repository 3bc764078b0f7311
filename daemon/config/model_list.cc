#include "daemon/config/model_list.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "core/arithmetic/check.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/status_macros.h"
#include "core/text/strings.h"

namespace tally::config {
namespace {

constexpr size_t kModelsMax = 1024;

std::string PathOf(size_t index) { return text::StrCat("models[", index, "]"); }

std::string PlaceOf(const text::Value& value) {
  return value.line > 0 ? text::StrCat(value.origin, ":", value.line) : value.origin;
}

}  // namespace

ModelList::ModelList(std::string folder, const FileReader& read_file)
    : folder_(std::move(folder)), read_file_(read_file) {}

absl::StatusOr<text::Value> ModelList::Load(const text::Value& item, std::string_view index) const {
  const auto* file = std::get_if<std::string>(&item.data);
  if (file == nullptr) return item;
  const std::string full = file->starts_with('/') ? *file : folder_ + *file;
  const absl::StatusOr<std::string> yaml = read_file_(full);
  if (!yaml.ok()) {
    return absl::InvalidArgumentError(text::StrCat(PlaceOf(item), ": models[", index,
                                                   "]: ", std::string(yaml.status().message())));
  }
  TALLY_ASSIGN_OR_RETURN(text::Value document, text::ParseYaml(*yaml, full));
  document.line = 0;  // the file as a whole
  return document;
}

absl::Status ModelList::Append(const text::List& items) {
  for (const text::Value& item : items) {
    if (items_.size() == kModelsMax) {
      return absl::InvalidArgumentError(
          text::StrCat(PlaceOf(item), ": models: more than ", kModelsMax, " of them"));
    }
    TALLY_ASSIGN_OR_RETURN(text::Value document, Load(item, text::StrCat(items_.size())));
    items_.push_back(std::move(document));
  }
  return absl::OkStatus();
}

absl::Status ModelList::Override(const ModelVariable& variable) {
  text::Value value = variable.value;
  const size_t count = items_.size();
  if (variable.path.size() == 1) {
    TALLY_ASSIGN_OR_RETURN(value, Load(variable.value, variable.path[0]));
  }
  text::Value list{.data = std::move(items_), .origin = "models", .line = 0};
  const absl::Status put = PutValue(list, variable.path, std::move(value), "models");
  items_ = std::move(std::get<text::List>(list.data));
  TALLY_RETURN_IF_ERROR(put);
  size_t index = 0;
  TALLY_CHECK(absl::SimpleAtoi(variable.path[0], &index));  // PutValue took it for an index
  if (index < count && variable.path.size() > 1) overridden_[index].push_back(variable.name);
  return absl::OkStatus();
}

std::string ModelList::OriginOf(size_t index) const {
  std::string origin = PlaceOf(items_[index]);
  if (const auto found = overridden_.find(index); found != overridden_.end()) {
    for (const std::string& name : found->second) text::StrAppend(&origin, ", ", name);
  }
  return origin;
}

absl::StatusOr<std::vector<ConfiguredModel>> ModelList::Read() const {
  std::vector<ConfiguredModel> models;
  std::map<std::string, std::string> places;  // of the names
  for (size_t i = 0; i < items_.size(); ++i) {
    ConfiguredModel model;
    model.origin = OriginOf(i);
    TALLY_ASSIGN_OR_RETURN(model.spec, ReadModelSpec(items_[i], PathOf(i)));
    if (model.spec.name.empty()) {
      return absl::InvalidArgumentError(text::StrCat(
          model.origin, ": ", PathOf(i), ".name: missing; a configured model needs a name"));
    }
    const auto [first, fresh] = places.emplace(model.spec.name, model.origin);
    if (!fresh) {
      return absl::InvalidArgumentError(text::StrCat(model.origin, ": ", PathOf(i), ".name: \"",
                                                     model.spec.name, "\" is used twice; ",
                                                     first->second, " has it too"));
    }
    models.push_back(std::move(model));
  }
  return models;
}

}  // namespace tally::config
