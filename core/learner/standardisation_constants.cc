#include "core/learner/standardisation_constants.h"

#include "core/arithmetic/check.h"

namespace tally {

size_t StandardisationConstants(const ModelSpec& spec) {
  if (spec.preprocessing.kind == PreprocessingKind::kNone) return 0;
  switch (spec.preprocessing.scope) {
    case PreprocessingScope::kGlobal:
      return 1;
    case PreprocessingScope::kElement:
      return spec.InputElements();
    case PreprocessingScope::kChannel:
      return spec.input.shape.back();
  }
  TALLY_CHECK(false);
}

}  // namespace tally
