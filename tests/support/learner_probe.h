// Random samples for any spec, and a window on the state of any learner.

#ifndef TALLY_TESTS_SUPPORT_LEARNER_PROBE_H_
#define TALLY_TESTS_SUPPORT_LEARNER_PROBE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/learner/learner.h"
#include "core/learner/model_spec.h"

namespace tally::test {

using Numbers = std::vector<int64_t>;
// Arrays of the state by name.
using State = std::map<std::string, Numbers>;

struct Samples {
  std::vector<std::byte> bytes;
  std::vector<Numbers> rows;  // the same as numbers
  std::vector<uint32_t> labels;
  size_t row_bytes = 0;

  RowBatch Rows(size_t first, size_t count) const {
    return {std::span(bytes).subspan(first * row_bytes, count * row_bytes), count};
  }
  std::span<const uint32_t> Labels(size_t first, size_t count) const {
    return std::span(labels).subspan(first, count);
  }
};

// Random rows over the whole range of the input type, half of the elements zero, random labels.
Samples RandomSamples(const ModelSpec& spec, size_t count, uint64_t seed);

// Every element of every row is `element`.
Samples ConstantSamples(const ModelSpec& spec, size_t count, int64_t element);

// The learner's state by name; with or without what is left out of the digest.
State ReadState(Learner& learner, bool with_counters = false);

// Overwrites one array of the learner's state.
void WriteState(Learner& learner, const std::string& name, const Numbers& values);

}  // namespace tally::test

#endif  // TALLY_TESTS_SUPPORT_LEARNER_PROBE_H_
