// Small specs, random samples and a window on the state, shared by the PocketNN tests.

#ifndef TALLY_TESTS_CORE_POCKETNN_FIXTURES_H_
#define TALLY_TESTS_CORE_POCKETNN_FIXTURES_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/learner/learner.h"
#include "core/learner/model_spec.h"
#include "tests/core/pocketnn/slow_pocketnn.h"

namespace tally::test {

// `inputs`-7-5-`classes` with one activation throughout, mini-batches of 6, inverse rate 200.
ModelSpec SmallSpec(Activation activation, CreditAssignment training);

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

#endif  // TALLY_TESTS_CORE_POCKETNN_FIXTURES_H_
