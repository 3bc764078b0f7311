// PrintConfig, CompareConfigs and ConfigPaths: all turn every key into text, by the one walk over
// them.

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/learner/model_spec_reader.h"
#include "core/text/strings.h"
#include "core/text/value.h"
#include "daemon/config/config.h"

namespace tally::config {
namespace {

// One key as text; sections only lend their name to the path.
struct PrintedKey {
  std::string path;
  std::string text;
  Reload reload = Reload::kNeedsRestart;
};

class Printer : public ConfigVisitor {
 public:
  void Section(std::string_view key, const std::function<void()>& visit) override {
    const std::string outer = std::exchange(prefix_, text::StrCat(prefix_, key, "."));
    visit();
    prefix_ = outer;
  }
  void Text(std::string_view key, std::string& value, Reload reload) override {
    Add(key, text::JsonQuote(value), reload);
  }
  void Bool(std::string_view key, bool& value, Reload reload) override {
    Add(key, value ? "true" : "false", reload);
  }
  void Choice(std::string_view key, const std::vector<std::string_view>& names, uint8_t& value,
              Reload reload) override {
    Add(key, std::string(names[value]), reload);
  }
  void Count(std::string_view key, Range, uint64_t& value, Reload reload) override {
    Add(key, absl::StrCat(value), reload);
  }
  void Size(std::string_view key, Range, uint64_t& value, Reload reload) override {
    if (value != 0 && value % (1u << 30) == 0) {
      Add(key, absl::StrCat(value >> 30, " GiB"), reload);
    } else if (value != 0 && value % (1u << 20) == 0) {
      Add(key, absl::StrCat(value >> 20, " MiB"), reload);
    } else if (value != 0 && value % (1u << 10) == 0) {
      Add(key, absl::StrCat(value >> 10, " KiB"), reload);
    } else {
      Add(key, absl::StrCat(value), reload);
    }
  }
  void Duration(std::string_view key, Range, uint64_t& value_ms, Reload reload) override {
    Add(key, absl::StrCat(value_ms, " ms"), reload);
  }

  const std::vector<PrintedKey>& keys() const { return keys_; }

 private:
  void Add(std::string_view key, std::string text, Reload reload) {
    keys_.push_back({text::StrCat(prefix_, key), std::move(text), reload});
  }

  std::string prefix_;
  std::vector<PrintedKey> keys_;
};

std::vector<PrintedKey> PrintKeys(const Config& config) {
  Config copy = config;  // visitors may write; this one does not
  Printer printer;
  VisitConfig(printer, copy);
  return printer.keys();
}

// Name and canonical text of every model: what decides whether two lists are the same.
std::string ModelsText(const Config& config) {
  std::string text;
  for (const ConfiguredModel& model : config.models) {
    absl::StrAppend(&text, model.spec.name, " ", CanonicalSpec(model.spec), "\n");
  }
  return text;
}

std::string OriginOf(const Origins& origins, const std::string& path) {
  const auto found = origins.find(path);
  return found == origins.end() ? "default" : found->second;
}

// CanonicalSpec is one JSON object on one line, which is YAML too; only the name is missing in it.
std::string ModelLine(const ConfiguredModel& model) {
  const std::string canonical = CanonicalSpec(model.spec);
  return absl::StrCat("  - {\"name\":", text::JsonQuote(model.spec.name), ",", canonical.substr(1),
                      "  # ", model.origin, "\n");
}

}  // namespace

std::vector<std::string> ConfigPaths() {
  std::vector<std::string> paths;
  for (PrintedKey& key : PrintKeys(Config())) paths.push_back(std::move(key.path));
  return paths;
}

ConfigChanges CompareConfigs(const Config& running, const Config& wanted) {
  const std::vector<PrintedKey> before = PrintKeys(running);
  const std::vector<PrintedKey> after = PrintKeys(wanted);
  ConfigChanges changes;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i].text == after[i].text) continue;
    (before[i].reload == Reload::kLive ? changes.live : changes.need_restart)
        .push_back(before[i].path);
  }
  if (ModelsText(running) != ModelsText(wanted)) changes.need_restart.push_back("models");
  return changes;
}

std::string PrintConfig(const LoadedConfig& loaded) {
  std::string out = "version: 1\n";
  std::string section;
  for (const PrintedKey& key : PrintKeys(loaded.config)) {
    const size_t dot = key.path.find('.');
    const std::string key_section = dot == std::string::npos ? "" : key.path.substr(0, dot);
    if (key_section != section && !key_section.empty()) absl::StrAppend(&out, key_section, ":\n");
    section = key_section;
    const std::string name = dot == std::string::npos ? key.path : key.path.substr(dot + 1);
    absl::StrAppend(&out, section.empty() ? "" : "  ", name, ": ", key.text, "  # ",
                    OriginOf(loaded.origins, key.path), "\n");
  }
  if (loaded.config.models.empty()) {
    absl::StrAppend(&out, "models: []  # ", OriginOf(loaded.origins, "models"), "\n");
    return out;
  }
  absl::StrAppend(&out, "models:\n");
  for (const ConfiguredModel& model : loaded.config.models) out += ModelLine(model);
  return out;
}

}  // namespace tally::config
