// The `models` of all layers.

#ifndef TALLY_DAEMON_CONFIG_MODEL_LIST_H_
#define TALLY_DAEMON_CONFIG_MODEL_LIST_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/text/value.h"
#include "daemon/config/config.h"
#include "daemon/config/environment.h"

namespace tally::config {

// The text of a file.
using FileReader = std::function<absl::StatusOr<std::string>(const std::string& path)>;

// Specs as documents until the last layer is in, so that a variable can change one value of a model
// that a file describes. Messages count the models of all files as one list: models[0], ...
class ModelList {
 public:
  // `folder`: what relative names of spec files start from. `read_file` must outlive the list.
  ModelList(std::string folder, const FileReader& read_file);

  // Items of one more file: specs, or names of spec files.
  absl::Status Append(const text::List& items);
  // A value for one model, or a whole one.
  absl::Status Override(const ModelVariable& variable);
  // Reads the specs. Two models of one name are an error that names both places.
  absl::StatusOr<std::vector<ConfiguredModel>> Read() const;

 private:
  // `item` itself, or the document of the file it names.
  absl::StatusOr<text::Value> Load(const text::Value& item, std::string_view index) const;
  std::string OriginOf(size_t index) const;

  const std::string folder_;
  const FileReader& read_file_;
  text::List items_;
  std::map<size_t, std::vector<std::string>> overridden_;  // by which variables
};

}  // namespace tally::config

#endif  // TALLY_DAEMON_CONFIG_MODEL_LIST_H_
