// The networks of the zoo, a list an algorithm. Private to core/algorithms.

#ifndef TALLY_CORE_ALGORITHMS_ZOO_ENTRIES_H_
#define TALLY_CORE_ALGORITHMS_ZOO_ENTRIES_H_

#include <span>
#include <string>
#include <vector>

#include "core/learner/model_spec.h"

namespace tally::zoo {

struct Entry {
  const char* name;  // "pocketnn/mnist-mlp"
  ModelSpec (*make)();
};

std::span<const Entry> NitiEntries();  // zoo_niti.cc

// Names of the classes of the data sets.
const std::vector<std::string>& DigitLabels();
const std::vector<std::string>& ClothingLabels();

}  // namespace tally::zoo

#endif  // TALLY_CORE_ALGORITHMS_ZOO_ENTRIES_H_
