// The options that say in which order samples are learnt, and how often.

#ifndef TALLY_CLIENT_CLI_PLAN_OPTIONS_H_
#define TALLY_CLIENT_CLI_PLAN_OPTIONS_H_

#include "CLI/App.hpp"
#include "client/training/training_plan.h"

namespace tally::cli {

// --epochs, --shuffle-seed, --in-order, --first-epoch.
void AddPlanOptions(CLI::App& command, PlanOptions& options);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_PLAN_OPTIONS_H_
