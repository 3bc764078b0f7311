// The models a configuration file asks for.

#ifndef TALLY_DAEMON_CONFIGURED_MODELS_H_
#define TALLY_DAEMON_CONFIGURED_MODELS_H_

#include <string>
#include <vector>

#include "daemon/config/config.h"
#include "daemon/rpc/catalog.h"
#include "daemon/rpc/health.h"

namespace tally {

// Creates those that do not exist. A failure is logged and concerns that model alone.
void CreateMissingModels(const std::vector<config::ConfiguredModel>& models,
                         hosting::Registry& registry);

// Before recovery: a model is refused from the moment its stored spec is known to differ, with both
// shown, so that none can be taught meanwhile.
void ExpectConfiguredSpecs(const std::vector<config::ConfiguredModel>& models,
                           rpc::Catalog& catalog);

// After recovery: tells log and health of every model that is refused.
void RefuseDifferingModels(const std::vector<config::ConfiguredModel>& models,
                           rpc::Catalog& catalog, rpc::Health& health);

}  // namespace tally

#endif  // TALLY_DAEMON_CONFIGURED_MODELS_H_
