// A ModelSpec as the YAML file a person would write.

#ifndef TALLY_CLIENT_CLI_SPEC_YAML_H_
#define TALLY_CLIENT_CLI_SPEC_YAML_H_

#include <string>

#include "core/learner/model_spec.h"

namespace tally::cli {

// Every field, one a line; no newline at the end. ModelSpecFromYaml reads the same spec back.
std::string SpecAsYaml(const ModelSpec& spec);

}  // namespace tally::cli

#endif  // TALLY_CLIENT_CLI_SPEC_YAML_H_
