#include "client/cli/plan_options.h"

#include "CLI/Option.hpp"

namespace tally::cli {

void AddPlanOptions(CLI::App& command, PlanOptions& options) {
  command.add_option("--epochs", options.epochs,
                     "Passes over the data (default: what the spec's schedule asks for)");
  command.add_option("--shuffle-seed", options.shuffle_seed,
                     "Decides the order of the samples (default: the spec's seed)");
  command
      .add_flag("--in-order", options.in_order,
                "No shuffling: every epoch in the order of the files")
      ->excludes("--shuffle-seed");
  command.add_option("--first-epoch", options.first_epoch,
                     "Go on with the order of this epoch, counted from 0, after an earlier run");
}

}  // namespace tally::cli
