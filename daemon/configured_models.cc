#include "daemon/configured_models.h"

#include <optional>
#include <string>

#include "core/learner/model_spec_reader.h"
#include "core/text/strings.h"
#include "daemon/platform/log.h"

namespace tally {
namespace {

using platform::Log;
using platform::LogLevel;

// Why the model cannot be served; nothing if the specs are equal.
std::optional<std::string> Difference(const config::ConfiguredModel& model,
                                      const ModelSpec& stored) {
  if (CanonicalSpec(stored) == CanonicalSpec(model.spec)) return std::nullopt;
  return text::StrCat(
      "model \"", model.spec.name, "\": the spec at ", model.origin,
      " differs from the stored one; make them equal, or give the model another name, and ",
      "restart. Configured: ", CanonicalSpec(model.spec), " Stored: ", CanonicalSpec(stored));
}

}  // namespace

void CreateMissingModels(const std::vector<config::ConfiguredModel>& models,
                         hosting::Registry& registry) {
  for (const config::ConfiguredModel& model : models) {
    if (registry.Find(model.spec.name).ok()) continue;
    const auto created = registry.Create(model.spec);
    if (created.ok()) {
      Log(LogLevel::kInfo, "created", {{"model", model.spec.name}, {"origin", model.origin}});
    } else {
      Log(LogLevel::kError, "cannot create",
          {{"model", model.spec.name},
           {"origin", model.origin},
           {"error", std::string(created.status().message())}});
    }
  }
}

void ExpectConfiguredSpecs(const std::vector<config::ConfiguredModel>& models,
                           rpc::Catalog& catalog) {
  for (const config::ConfiguredModel& model : models) {
    if (!catalog.registry().Find(model.spec.name).ok()) continue;
    catalog.Expect(model.spec.name,
                   [model](const ModelSpec& stored) { return Difference(model, stored); });
  }
}

void RefuseDifferingModels(const std::vector<config::ConfiguredModel>& models,
                           rpc::Catalog& catalog, rpc::Health& health) {
  for (const config::ConfiguredModel& model : models) {
    const auto host = catalog.registry().Find(model.spec.name);
    if (!host.ok()) continue;
    const std::optional<std::string> why = catalog.RefusalOf(**host);
    if (!why) continue;
    health.RefuseModel(model.spec.name);
    Log(LogLevel::kError, "refused", {{"model", model.spec.name}, {"reason", *why}});
  }
}

}  // namespace tally
