#include "core/algorithms/state_entries.h"

#include "core/text/strings.h"

namespace tally {

std::string LayerPrefix(size_t layer) { return text::StrCat("layer", layer + 1, "."); }

absl::Status CheckMagnitude(const std::string& name, size_t index, int32_t value, int32_t limit) {
  if (value >= -limit && value <= limit) return absl::OkStatus();
  return absl::DataLossError(text::StrCat(name, ": element ", index, " is ", value, ", outside [",
                                          -limit, ", ", limit,
                                          "]: the state is damaged; restore an older checkpoint"));
}

}  // namespace tally
